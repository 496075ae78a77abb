// The options of a call, as `$with` takes them: each is checked when it is given, so none can be ignored by a path that has no use for it.
// A duration of `timeout` is read by the call itself, which knows its method.
import { closest, InvalidOptionError, UnknownOptionError } from '../errors.js';
import type { CallOptions } from '../types.js';
import { parseDuration } from '../units.js';
import { isPlainObject } from './plain-object.js';

const KNOWN: ReadonlySet<string> = new Set<keyof CallOptions>(['signal', 'timeout', 'queueTimeout', 'key', 'transfer', 'headers', 'idempotent', 'whileRestarting']);

/** @throws UnknownOptionError, InvalidOptionError */
export function checkCallOptions(options: CallOptions): CallOptions {
  if (typeof options !== 'object' || options === null) throw invalid('$with', options, 'an object of options');
  for (const option of Object.keys(options)) {
    if (KNOWN.has(option)) continue;
    const suggestion = closest(option, KNOWN);
    throw new UnknownOptionError(`$with: unknown option '${option}'; ${suggestion ? `did you mean '${suggestion}'?` : `it knows ${[...KNOWN].join(', ')}`}`, suggestion ? { option, suggestion } : { option });
  }
  const { signal, queueTimeout, key, transfer, headers, idempotent, whileRestarting } = options;
  // By what is used of it: programs also pass signals of another realm, or of a polyfill.
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') throw invalid('signal', signal, 'an AbortSignal');
  if (queueTimeout !== undefined) parseDuration(queueTimeout, 'queueTimeout');
  if (key !== undefined && typeof key !== 'string') throw invalid('key', key, 'a text');
  if (transfer !== undefined && !(Array.isArray(transfer) && transfer.every(canMove))) throw invalid('transfer', transfer, 'a list of buffers and ports');
  if (headers !== undefined && !areHeaders(headers)) throw invalid('headers', headers, 'an object of texts');
  if (idempotent !== undefined && typeof idempotent !== 'boolean') throw invalid('idempotent', idempotent, 'true or false');
  if (whileRestarting !== undefined && whileRestarting !== 'wait' && whileRestarting !== 'fail') throw invalid('whileRestarting', whileRestarting, "'wait' or 'fail'");
  return options;
}

/** Plain data is never moved; what else cannot be is refused where it is sent. */
const canMove = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item) && !isPlainObject(item);

const areHeaders = (headers: unknown): boolean => typeof headers === 'object' && headers !== null && !Array.isArray(headers) && Object.values(headers).every((value) => typeof value === 'string');

const invalid = (option: string, value: unknown, expected: string): InvalidOptionError => {
  const shown = typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? 'this list' : typeof value === 'object' && value !== null ? 'this object' : String(value);
  return new InvalidOptionError(`${option}: ${shown} is not ${expected}`, { option });
};
