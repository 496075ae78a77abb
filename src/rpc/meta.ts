// The meta slot of a call: time left in ms or 0, then header names and values. Names that begin with `mimas-` are the
// protocol's own and never seen by methods.
import { FrameTooLargeError, ProtocolError } from '../errors.js';
import type { CallOptions } from '../types.js';
import { parseDuration } from '../units.js';
import { CallContext, currentContext } from './context.js';
import { DEFAULT_LIMITS } from './frames.js';

export type Headers = Readonly<Record<string, string>>;

/** Who calls, said by one that calls for another. */
const CALLER = 'mimas-caller';
/** Options for the last hop of a call through a lent proxy, as JSON. */
const OPTIONS = 'mimas-options';
const OWN = /^mimas-/i;
/** No deadline is further away, ms: a hundred years. */
const LONGEST = 100 * 365 * 24 * 3_600_000;

/** What a call made from inside of a call inherits, below the caller's `own` headers. */
export function inheritHeaders(own: Headers | undefined): Headers | undefined {
  const context = currentContext();
  if (!context) return own;
  const inherited = context.headers;
  const names = Object.keys(inherited).length;
  const headers = names === 0 ? own : own ? { ...inherited, ...own } : inherited;
  return context.relayed ? { ...headers, [CALLER]: context.caller } : headers;
}

/** ms that the current call has left; undefined without a deadline. */
export function timeLeft(): number | undefined {
  const deadline = currentContext()?.deadline;
  return deadline === undefined ? undefined : deadline - Date.now();
}

/** @throws FrameTooLargeError */
export function encodeMeta(headers: Headers | undefined, left: number | undefined): unknown[] | undefined {
  if (headers === undefined) return left === undefined ? undefined : [left];
  const meta: unknown[] = [left ?? 0];
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    size += name.length + String(value).length;
    meta.push(name, String(value));
  }
  if (size > DEFAULT_LIMITS.maxHeaders) throw new FrameTooLargeError(`the headers of a call take ${size} characters, at most ${DEFAULT_LIMITS.maxHeaders} travel`, { size, limit: DEFAULT_LIMITS.maxHeaders });
  return meta;
}

/** For a callback. */
export function inheritedMeta(): unknown[] | undefined {
  const left = timeLeft();
  return encodeMeta(inheritHeaders(undefined), left === undefined ? undefined : Math.max(1, left));
}

/** For a call through a lent proxy: the options go along, the side that lent it obeys them. */
export function metaOf(options: CallOptions): unknown[] | undefined {
  const { key, idempotent, whileRestarting } = options;
  const last = {
    ...(key === undefined ? {} : { key }),
    ...(idempotent === undefined ? {} : { idempotent }),
    ...(whileRestarting === undefined ? {} : { whileRestarting }),
    ...(options.timeout === undefined ? {} : { timeout: String(parseDuration(options.timeout, 'timeout')) }),
    ...(options.queueTimeout === undefined ? {} : { queueTimeout: String(parseDuration(options.queueTimeout, 'queueTimeout')) }),
  };
  let headers = inheritHeaders(options.headers);
  if (Object.keys(last).length > 0) headers = { ...headers, [OPTIONS]: JSON.stringify(last) };
  const left = timeLeft();
  return encodeMeta(headers, left === undefined ? undefined : Math.max(1, left));
}

/** The context of a call that came in. `trusted`: the peer may say for whom it calls. @throws ProtocolError */
export function readMeta(process: string, method: string, peer: string, meta: unknown, trusted: boolean): CallContext {
  if (meta === undefined) return new CallContext(process, method, peer, undefined);
  if (!Array.isArray(meta) || meta.length % 2 === 0) throw new ProtocolError('a call whose headers are no list');
  const left: unknown = meta[0];
  if (typeof left !== 'number' || !(left >= 0)) throw new ProtocolError('a call whose deadline is no number');
  const deadline = left > 0 ? Date.now() + Math.min(left, LONGEST) : undefined;
  if (meta.length < 3) return new CallContext(process, method, peer, deadline);
  const headers = Object.create(null) as Record<string, string>;
  let caller = peer;
  let options: string | undefined;
  let size = 0;
  for (let i = 1; i + 1 < meta.length; i += 2) {
    const name: unknown = meta[i];
    const value: unknown = meta[i + 1];
    if (typeof name !== 'string' || typeof value !== 'string') throw new ProtocolError('a header that is no text');
    size += name.length + value.length;
    if (name === CALLER) caller = trusted ? value : peer;
    else if (name === OPTIONS) options = value;
    else if (!OWN.test(name)) headers[name] = value;
  }
  if (size > 2 * DEFAULT_LIMITS.maxHeaders) throw new ProtocolError('the headers of a call are too long');
  const context = new CallContext(process, method, caller, deadline, Object.freeze(headers));
  context.options = options;
  return context;
}

/** What the caller asked of the last hop. @throws ProtocolError */
export function relayedOptions({ options }: CallContext): CallOptions {
  if (options === undefined) return {};
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(options) as Record<string, unknown>;
  } catch (error) {
    throw new ProtocolError('call options that cannot be read', { cause: error });
  }
  if (typeof given !== 'object' || given === null) throw new ProtocolError('call options that are no object');
  const { key, idempotent, whileRestarting, timeout, queueTimeout } = given;
  return {
    ...(typeof key === 'string' ? { key } : {}),
    ...(typeof idempotent === 'boolean' ? { idempotent } : {}),
    ...(whileRestarting === 'wait' || whileRestarting === 'fail' ? { whileRestarting } : {}),
    ...(typeof timeout === 'string' ? { timeout: Number(timeout) } : {}),
    ...(typeof queueTimeout === 'string' ? { queueTimeout: Number(queueTimeout) } : {}),
  };
}
