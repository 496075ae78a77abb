// A supervision tree as it will be built: classes are read, groups are nested, everything is checked before anything starts.
import { InvalidOptionError } from '../errors.js';
import { resolveGroupOptions } from '../supervisor/group-options.js';
import { refuseUnknown } from '../supervisor/options.js';
import { supervisorSpecOf } from './supervision-decorators.js';
import { checkChildOptions, GROUP_OPTIONS, type ChildDefinition, type ChildRole, type ProcessChild, type SupervisionOptions, type SupervisorClass } from './supervision-options.js';

export interface Tree { options: SupervisionOptions; children: (ProcessChild | (ChildRole & { name: string; tree: Tree }))[] }

/** @throws UnknownOptionError, InvalidOptionError, UnsupportedOptionError, InvalidProcessError */
export function readTree(source: readonly ChildDefinition[] | SupervisorClass, options: SupervisionOptions, at: string): Tree {
  refuseUnknown(options, GROUP_OPTIONS, at);
  if (typeof source === 'function') {
    const spec = supervisorSpecOf(source);
    return readTree(spec.children, { ...spec.options, ...options }, at);
  }
  if (!Array.isArray(source)) throw new InvalidOptionError(`${at}: children are a list, or a class with @Supervisor()`, { option: 'children' });
  resolveGroupOptions(options);
  const children = source.map((child: ChildDefinition) => readChild(child, at));
  for (const [i, { name }] of children.entries()) {
    if (children.findIndex((other) => other.name === name) !== i) throw new InvalidOptionError(`${at}: two children have the name '${name}'`, { option: 'name' });
  }
  return { options, children };
}

/** One child, checked. */
export function readChild(child: ChildDefinition, at: string): Tree['children'][number] {
  if (typeof child !== 'object' || child === null) throw new InvalidOptionError(`${at}: a child is an object such as { name, file }`, { option: 'children' });
  const { name } = child;
  if (typeof name !== 'string' || name === '' || name.includes('/')) {
    throw new InvalidOptionError(`${at}: name: ${JSON.stringify(name) ?? typeof name} is not a text without a slash (paths such as 'group/child' are made of names)`, { option: 'name' });
  }
  const where = `${at}: child '${name}'`;
  const group = 'children' in child;
  checkChildOptions(child, where, group ? 'children' : 'supervisor' in child ? 'supervisor' : 'file', group ? GROUP_OPTIONS : []);
  const common: ChildRole & { name: string } = {
    name,
    ...(child.type !== undefined && { type: child.type }),
    ...(child.critical !== undefined && { critical: child.critical }),
    ...(child.optional !== undefined && { optional: child.optional }),
  };
  if ('children' in child) {
    const options = Object.fromEntries(Object.entries(child).filter(([key, value]) => GROUP_OPTIONS.includes(key) && value !== undefined)) as SupervisionOptions;
    return { ...common, tree: readTree(child.children, options, where) };
  }
  if ('supervisor' in child) return { ...common, tree: readTree(child.supervisor, { name }, where) };
  return { ...common, file: child.file, options: child.options ?? {} };
}
