// The arguments of a call as they were when it was made: it may have to wait, or be made again, and the caller may change them.
import type { Transferable } from '../types.js';
import { ValueCodec, type Encoded, type LiveKind } from './codec.js';
import { copyOfBuffer, mustMove } from './graph-host.js';
import { transferOfArguments } from './transfer.js';

export interface Snapshot {
  /** Ready to be sent over any link of the level. */
  readonly encoded: Encoded | undefined;
  /** Instead of that, when functions, streams or signals are among them: those belong to one session, so the arguments are
   *  encoded when there is one. A copy, but for the live things in it. */
  readonly args: unknown[] | undefined;
  /** What in `args` may be moved. */
  readonly transfer: readonly Transferable[] | undefined;
  /** False when something in it can be sent once only: a stream, a port. */
  readonly repeatable: boolean;
}

const ONCE: ReadonlySet<LiveKind> = new Set<LiveKind>(['stream', 'readable']);

export class Snapshots {
  readonly #codec: ValueCodec;
  #live: object[] = [];
  #once = false;

  constructor(level: 'objects' | 'bytes', maxFrame: number) {
    this.#codec = new ValueCodec({
      level,
      maxFrame,
      live: {
        exportLive: (value, kind) => {
          if (ONCE.has(kind)) this.#once = true;
          return [this.#live.push(value) - 1];
        },
        importLive: (_kind, description) => this.#live[(description as [number])[0]],
      },
    });
  }

  /** @throws NotCloneableError, FrameTooLargeError */
  take(args: unknown[], transfer: readonly Transferable[] | undefined): Snapshot {
    // A getter among the arguments may make a call that waits as well.
    const outer = { live: this.#live, once: this.#once };
    this.#live = [];
    this.#once = false;
    try {
      return this.#take(args, transfer);
    } finally {
      this.#live = outer.live;
      this.#once = outer.once;
    }
  }

  #take(args: unknown[], transfer: readonly Transferable[] | undefined): Snapshot {
    const moved = transferOfArguments(args, transfer);
    const encoded = { ...this.#codec.encode(args, { root: 'args', standalone: true, ...(moved ? { transfer: moved } : {}) }) };
    const attachments = encoded.attachments ?? [];
    const repeatable = !this.#once && !attachments.some((item) => mustMove(item as object));
    if (this.#live.length === 0) return { encoded: moved && repeatable ? movedNow(encoded) : encoded, args: undefined, transfer: undefined, repeatable };
    const copy = this.#codec.decode(encoded.tag, encoded.payload, attachments) as unknown[];
    const own = encoded.transfer ?? attachments.map((item) => (item as Uint8Array).buffer as ArrayBuffer);
    return { encoded: undefined, args: copy, transfer: own, repeatable };
  }
}

/** Takes the buffers from their sender at once: copies are what will be sent, so nothing else would empty them. */
function movedNow(encoded: Encoded): Encoded {
  const buffers = encoded.attachments?.filter((item): item is ArrayBuffer => item instanceof ArrayBuffer) ?? [];
  if (buffers.length === 0) return encoded;
  const attachments = structuredClone(encoded.attachments!, { transfer: buffers });
  return { ...encoded, attachments, transfer: attachments.filter((item): item is ArrayBuffer => item instanceof ArrayBuffer) };
}

/** One sending of a snapshot that may have to be sent again: its buffers are copies. */
export function copyOf(encoded: Encoded): Encoded {
  if (!encoded.attachments) return encoded;
  const attachments = encoded.attachments.map((item) => (item instanceof ArrayBuffer ? copyOfBuffer(item) : item));
  return { ...encoded, attachments, transfer: attachments.filter((item): item is ArrayBuffer => item instanceof ArrayBuffer) };
}
