// What users write for a supervision tree, and the checks that the list form and the class form share.
import { closest, InvalidOptionError, UnknownOptionError, UnsupportedOptionError } from '../errors.js';
import type { GroupChild } from '../supervisor/group-child.js';
import type { GroupOptions } from '../supervisor/group-options.js';
import { SPAWN_OPTIONS, type SpawnOptions } from './options.js';

/** Options of a whole tree, or of a nested group. */
export type SupervisionOptions = Pick<GroupOptions, 'name' | 'strategy' | 'intensity' | 'period' | 'backoff'>;

export type ChildRole = Pick<GroupChild, 'type' | 'critical' | 'optional'>;

/** A process in a tree. */
export interface ProcessChild extends ChildRole {
  /** Under which it is found in its group, and the name of the process unless `options.name` says another. */
  name: string;
  file: string | URL;
  /** Spawn options, without a restart policy: the group decides. */
  options?: Omit<SpawnOptions, 'restartPolicy'>;
}

/** A group in a tree: children of its own, or a class with `@Supervisor()`. */
export interface GroupOfChildren extends ChildRole, SupervisionOptions {
  name: string;
  children: readonly ChildDefinition[];
}
export interface SupervisorChild extends ChildRole {
  name: string;
  supervisor: SupervisorClass;
}

export type ChildDefinition = ProcessChild | GroupOfChildren | SupervisorChild;

export type SupervisorClass<T = unknown> = abstract new (...args: never) => T;

const ROLE = ['type', 'critical', 'optional'];
export const GROUP_OPTIONS = ['name', 'strategy', 'intensity', 'period', 'backoff'];
const TYPES = ['permanent', 'transient', 'temporary'];

/** What stands in a child beside its name; shared with `@Child`. */
export function checkChildOptions(child: object, where: string, kind: 'file' | 'children' | 'supervisor', more: readonly string[] = []): void {
  const known = ['name', ...ROLE, ...more, kind, ...(kind === 'file' ? ['options'] : [])];
  for (const option of Object.keys(child)) {
    if (known.includes(option)) continue;
    const suggestion = closest(option, known);
    const hint = kind === 'file' && SPAWN_OPTIONS.includes(option) ? `; it is a spawn option: write options: { ${option} }` : suggestion ? `; did you mean '${suggestion}'?` : '';
    throw new UnknownOptionError(`${where}: unknown option '${option}'${hint}`, { option, ...(suggestion && { suggestion }) });
  }
  const { type, critical, optional, file, options, supervisor } = child as Record<string, unknown>;
  if (type !== undefined && !TYPES.includes(type as string)) throw new InvalidOptionError(`${where}: type: ${JSON.stringify(type)} is not one of ${TYPES.join(', ')}`, { option: 'type' });
  for (const [option, value] of Object.entries({ critical, optional })) {
    if (value !== undefined && typeof value !== 'boolean') throw new InvalidOptionError(`${where}: ${option}: ${JSON.stringify(value)} is neither true nor false`, { option });
  }
  if (kind === 'supervisor' && typeof supervisor !== 'function') throw new InvalidOptionError(`${where}: supervisor: it is a class with @Supervisor()`, { option: 'supervisor' });
  if (kind !== 'file') return;
  if (!(file instanceof URL) && (typeof file !== 'string' || file === '')) throw new InvalidOptionError(`${where}: file: ${JSON.stringify(file) ?? typeof file} is not a path or URL of a process file`, { option: 'file' });
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) throw new InvalidOptionError(`${where}: options: an object of spawn options is needed`, { option: 'options' });
  if ('restartPolicy' in options) throw new UnsupportedOptionError(`${where}: options.restartPolicy cannot work in a group: the group restarts its children; use type, intensity and period`, { option: 'restartPolicy' });
}
