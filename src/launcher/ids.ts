// Who shares a process with whom: from isolation level, namespace, session and pattern to the id of one process.
// Parts are escaped, so that two requests that shall not share never have the same id.
import { escapePart, ISOLATION_LEVELS, MAX_PART, type IsolationLevel } from '../isolation/key.js';
import { LauncherError } from './errors.js';

export { ISOLATION_LEVELS, type IsolationLevel };

/** How reports and metrics name the levels. */
export const LEVEL_TITLES: Readonly<Record<IsolationLevel, string>> = { none: 'None', namespace: 'Namespace', session: 'Session' };

export interface LaunchKey {
  readonly pattern: string;
  readonly level: IsolationLevel;
  readonly namespace?: string | undefined;
  readonly session?: string | undefined;
}

/** `shared:<pattern>`, `ns:<namespace>:<pattern>` or `session:<namespace>:<session>:<pattern>`. @throws LauncherError */
export function processIdOf({ pattern, level, namespace, session }: LaunchKey): string {
  const name = part(pattern, 'pattern_name');
  switch (level) {
    case 'none':
      return `shared:${name}`;
    case 'namespace':
      if (!namespace) throw new LauncherError('MISSING_NAMESPACE', 'namespace is required for NAMESPACE isolation', { context: { pattern } });
      return `ns:${part(namespace, 'namespace')}:${name}`;
    case 'session':
      if (!namespace) throw new LauncherError('MISSING_NAMESPACE', 'namespace is required for SESSION isolation', { context: { pattern } });
      if (!session) throw new LauncherError('MISSING_SESSION_ID', 'session_id is required for SESSION isolation', { context: { pattern, namespace } });
      return `session:${part(namespace, 'namespace')}:${part(session, 'session_id')}:${name}`;
  }
}

/** @throws LauncherError INVALID_ISOLATION_LEVEL */
export function checkLevel(value: unknown): IsolationLevel {
  if (ISOLATION_LEVELS.includes(value as IsolationLevel)) return value as IsolationLevel;
  throw new LauncherError('INVALID_ISOLATION_LEVEL', `invalid isolation_level: ${String(value)} (must be none, namespace, or session)`);
}

function part(value: string, name: string): string {
  if (value.length > MAX_PART) throw new LauncherError('INVALID_CONFIGURATION', `${name} is longer than ${MAX_PART} characters`, { suggestion: 'Use a shorter name' });
  // It becomes an environment variable, which cannot carry this character.
  if (value.includes('\0')) throw new LauncherError('INVALID_CONFIGURATION', `${name} contains a NUL character`, { suggestion: 'Take it out' });
  return escapePart(value);
}
