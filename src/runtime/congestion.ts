// Who writes to the streams of this program waits while one takes no more. Many wait for one stream, which hears of one listener only.
const waiting = new WeakMap<NodeJS.WritableStream, Set<() => void>>();

/** It has more to write than it should hold. A stream that has ended holds nobody up. */
export function isCongested(stream: NodeJS.WritableStream): boolean {
  const { writableNeedDrain, destroyed } = stream as NodeJS.WritableStream & { writableNeedDrain?: boolean; destroyed?: boolean };
  return writableNeedDrain === true && destroyed !== true;
}

/** Bytes that wait to be written. */
export const heldBy = (stream: NodeJS.WritableStream): number => (stream as { writableLength?: number }).writableLength ?? 0;

/** Calls `then` once it takes more, or has ended. */
export function whenRelieved(stream: NodeJS.WritableStream, then: () => void): void {
  const known = waiting.get(stream);
  if (known) return void known.add(then);
  const waiters = new Set([then]);
  waiting.set(stream, waiters);
  const relieved = () => {
    stream.off('drain', relieved);
    stream.off('close', relieved);
    waiting.delete(stream);
    for (const waiter of waiters) waiter();
  };
  stream.on('drain', relieved);
  stream.on('close', relieved);
}
