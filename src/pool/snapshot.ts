// The arguments of a call that waits, as they were when it was made: the caller may change them meanwhile.
import { ValueCodec } from '../rpc/codec.js';
import { transferOfArguments } from '../rpc/transfer.js';
import type { CallOptions } from '../types.js';

export interface Kept {
  readonly args: unknown[];
  readonly options: CallOptions;
}

let codec: ValueCodec | undefined;

/** What is marked for transfer is moved, once: the copy is then the pool's own. */
export function snapshot(args: unknown[], options: CallOptions): Kept {
  if (args.every((argument) => typeof argument !== 'object' || argument === null)) return { args, options };
  const { transfer: list, ...rest } = options;
  const transfer = transferOfArguments(args, list);
  try {
    return { args: copy(args, transfer) as unknown[], options: rest };
  } catch {
    // Functions, streams and proxies are no data: those stay as they are, and what is wrong shows when the call is sent.
    return transfer ? { args, options } : { args: args.map(copyIfData), options };
  }
}

function copy(value: unknown, transfer?: CallOptions['transfer']): unknown {
  codec ??= new ValueCodec({ level: 'objects', maxFrame: Infinity });
  const { tag, payload, attachments } = codec.encode(value, { standalone: true, root: 'args', ...(transfer ? { transfer } : {}) });
  // Attachments are the very buffers of the value, until they cross a thread.
  const own = attachments && structuredClone(attachments, transfer ? { transfer: [...transfer] as ArrayBuffer[] } : {});
  return codec.decode(tag, payload, own);
}

function copyIfData(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  try {
    return copy(value);
  } catch {
    return value;
  }
}
