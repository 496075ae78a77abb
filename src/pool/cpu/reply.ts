// What a thread of a CPU pool has answered: a value, or what its method threw.
import { isError } from '../../errors.js';
import { Tag } from '../../rpc/codec.js';
import { joinStacks } from '../../rpc/wire-error.js';
import { FAILED, newCodec, type Reply } from './protocol.js';

/** Of this side, for all threads: each value stands alone. */
export const codec = newCodec();

/** What the method threw, told apart from what went wrong around it. */
export class Thrown {
  constructor(readonly error: unknown) {}
}

/** @throws Thrown */
export function readReply(reply: Reply, name: string): unknown {
  if (typeof reply !== 'object' || reply === null) return reply;
  const [tag, payload, attachments] = reply;
  // As it is: what the thread sent is a copy of our own.
  if (tag === Tag.INLINE) return payload;
  if (tag < FAILED) return codec.decode(tag, payload, attachments);
  const error = codec.decode(tag - FAILED, payload, attachments);
  if (isError(error)) {
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller);
    const stack = joinStacks(error.stack ?? String(error), caller.stack, `${name} (cpu pool)`);
    Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  }
  throw new Thrown(error);
}
