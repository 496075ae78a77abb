// The arguments of a call that waits, as they were when it was made: the caller may change them meanwhile.
import { types } from 'node:util';
import { ValueCodec } from '../rpc/codec.js';
import { transferOfArguments } from '../rpc/transfer.js';
import type { CallOptions } from '../types.js';

export interface Kept {
  readonly args: unknown[];
  readonly options: CallOptions;
}

let codec: ValueCodec | undefined;

/** What is marked for transfer is moved, once: buffers are then the pool's own, ports and streams go on with the call. */
export function snapshot(args: unknown[], options: CallOptions): Kept {
  if (args.every((argument) => typeof argument !== 'object' || argument === null)) return { args, options };
  const { transfer: list, ...rest } = options;
  const transfer = transferOfArguments(args, list);
  try {
    const own = copy(args, transfer) as unknown[];
    const onward = transfer?.filter((item) => !(types.isArrayBuffer(item) || ArrayBuffer.isView(item))) ?? [];
    return { args: own, options: onward.length > 0 ? { ...rest, transfer: onward } : rest };
  } catch {
    // Functions, streams and proxies are no data: those stay as they are, and what is wrong shows when the call is sent.
    return transfer ? { args, options } : { args: args.map(copyIfData), options };
  }
}

/** The encoder has copied or moved every buffer, so nothing of what comes back is the caller's any more. */
function copy(value: unknown, transfer?: CallOptions['transfer']): unknown {
  codec ??= new ValueCodec({ level: 'objects', maxFrame: Infinity });
  const { tag, payload, attachments } = codec.encode(value, { standalone: true, root: 'args', ...(transfer ? { transfer } : {}) });
  return codec.decode(tag, payload, attachments);
}

function copyIfData(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  try {
    return copy(value);
  } catch {
    return value;
  }
}
