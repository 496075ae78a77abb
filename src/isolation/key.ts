// Who shares a process with whom: from a level and a key to the id of the process. Two keys that shall not share never have
// the same id, whatever characters are in them, also when something is appended to the id after a colon.
import { InvalidOptionError } from '../errors.js';
import { refuseUnknown } from '../supervisor/options.js';

/** One process for all, one a namespace, or one a session. */
export type IsolationLevel = 'none' | 'namespace' | 'session';

export interface IsolationKey {
  namespace?: string | undefined;
  session?: string | undefined;
}

export const ISOLATION_LEVELS: readonly IsolationLevel[] = ['none', 'namespace', 'session'];
/** Longest namespace or session, characters. */
export const MAX_PART = 256;

/** What would be read as a separator in an id, a path or a log line, and the escape itself. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[%:/\\\u0000-\u001f\u007f\u2028\u2029]/g;

/**
 * `shared`, `ns:<namespace>` or `session:<session>`. At level `session` the namespace is no part of the id: a session is one
 * session, whatever namespace it is asked for in.
 * @throws InvalidOptionError when the part that the level needs is missing, or a part is no text of 1 to 256 characters
 */
export function processIdOf(level: IsolationLevel, key: IsolationKey): string {
  if (typeof key !== 'object' || key === null) throw new InvalidOptionError('key: an isolation key is an object such as { namespace, session }', { option: 'key' });
  refuseUnknown(key, ['namespace', 'session'], 'key');
  const namespace = part(key.namespace, 'key.namespace');
  const session = part(key.session, 'key.session');
  switch (level) {
    case 'none':
      return 'shared';
    case 'namespace':
      return `ns:${needed(namespace, 'namespace', level)}`;
    case 'session':
      return `session:${needed(session, 'session', level)}`;
  }
}

export function checkLevel(level: unknown): IsolationLevel {
  if (ISOLATION_LEVELS.includes(level as IsolationLevel)) return level as IsolationLevel;
  throw new InvalidOptionError(`level: ${JSON.stringify(level)} is not one of ${ISOLATION_LEVELS.join(', ')}`, { option: 'level' });
}

function part(value: unknown, option: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > MAX_PART) {
    throw new InvalidOptionError(`${option}: ${typeof value === 'string' && value !== '' ? `a text of ${value.length} characters` : (JSON.stringify(value) ?? typeof value)} is not a text of 1 to ${MAX_PART} characters`, { option });
  }
  return escapePart(value);
}

/** A part of an id, without anything that separates parts. No two texts become the same. */
export const escapePart = (text: string): string => text.replace(UNSAFE, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

function needed(value: string | undefined, name: string, level: IsolationLevel): string {
  if (value !== undefined) return value;
  throw new InvalidOptionError(`key.${name}: level '${level}' needs a ${name}`, { option: `key.${name}` });
}
