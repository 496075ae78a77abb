// A supervision tree of processes: a group with children that are processes or groups, and the handle that users hold.
// Invariant: calls to a child wait while its tree may still bring it back, and are refused as soon as it will not.
import { inspect } from 'node:util';
import { InvalidOptionError, ProcessStoppedError, UnitNotFoundError } from '../errors.js';
import { Group } from '../supervisor/group.js';
import type { ChildState } from '../supervisor/group-child.js';
import type { GroupEvents, GroupState, GroupStrategy } from '../supervisor/group-options.js';
import { Emitter } from '../supervisor/emitter.js';
import { refuseUnknown } from '../supervisor/options.js';
import { within } from '../runtime/within.js';
import type { ProcessInfo, Remote, Untyped } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import type { ManagedProcess } from './managed-process.js';
import type { SpawnOptions } from './options.js';
import { SupervisedProcess } from './supervised-process.js';
import { readChild, type Tree } from './supervision-definition.js';
import type { ChildDefinition } from './supervision-options.js';

/** Events of the whole tree; `path` is where: `''` for the tree itself, `'child'`, `'group/child'`. */
export type SupervisionEvents = { [E in keyof GroupEvents]: GroupEvents[E] & { path: string } };

export interface SupervisedStatus {
  name: string;
  state: ChildState;
  /** How often it was started. */
  starts: number;
  lastError: Error | undefined;
  /** Of a child that is a process and has been up. */
  process?: ProcessInfo;
  /** Of a child that is a group. */
  group?: SupervisionStatus;
}

export interface SupervisionStatus {
  name: string;
  state: GroupState;
  strategy: GroupStrategy;
  /** Restarts by the group since it was made. */
  restarts: number;
  /** Why it gave up. */
  error: Error | undefined;
  children: SupervisedStatus[];
}

export interface Supervision {
  readonly name: string;
  readonly state: GroupState;
  /** The proxy of a child: always the same object, valid across restarts. Nested: `'group/child'`. @throws UnitNotFoundError */
  get(path: string): Untyped;
  get<T>(path: string): Remote<T>;
  /** Adds a child at the end, or at the end of the group `under`, and starts it. */
  add(child: ChildDefinition, under?: string): Promise<void>;
  /** Stops a child and takes it out. */
  remove(path: string): Promise<void>;
  /** Restarts a child, whatever its state; clears the budget of its group. */
  restart(path: string): Promise<void>;
  status(): SupervisionStatus;
  /** Stops all children in reverse order. */
  stop(options?: { timeout?: Duration }): Promise<void>;
  /** Starts a tree that was stopped or has given up. */
  start(): Promise<void>;
  on<E extends keyof SupervisionEvents>(event: E, listener: (detail: SupervisionEvents[E]) => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The tree of a class: children are known by their fields. */
export interface SupervisionOf<T> extends Supervision {
  readonly children: { readonly [K in keyof T & string]: Remote<T[K]> };
  get<K extends keyof T & string>(name: K): Remote<T[K]>;
  get(path: string): Untyped;
  get<C>(path: string): Remote<C>;
}

export interface SupervisionContext {
  spawnUnit(file: string | URL, options: SpawnOptions, signal: AbortSignal): Promise<ManagedProcess>;
  /** The path of the file; refuses spawn options and files that cannot work, before anything is started. */
  check(file: string | URL, options: SpawnOptions): string;
  onState(tree: SupervisionTree, live: boolean): void;
}

const EVENTS: readonly (keyof GroupEvents)[] = ['child-started', 'child-stopped', 'child-exit', 'child-restart', 'child-ended', 'child-failed', 'escalate'];

export class SupervisionTree implements Supervision {
  readonly #group: Group;
  readonly #members = new Map<string, SupervisedProcess | SupervisionTree>();
  readonly #events: Emitter<SupervisionEvents>;

  constructor(
    tree: Tree,
    private readonly context: SupervisionContext,
    private readonly path = '',
    events?: Emitter<SupervisionEvents>,
  ) {
    this.#events = events ?? new Emitter();
    this.#group = new Group([], tree.options);
    const prefix = path && `${path}/`;
    for (const event of EVENTS) {
      this.#group.on(event, (detail) => {
        const at = event === 'escalate' ? path : prefix + detail.name;
        if (event === 'child-ended') this.#onEnded(detail as GroupEvents['child-ended']);
        if (event === 'escalate' && !path) this.#refuse('failed', () => (detail as GroupEvents['escalate']).error);
        this.#events.emit(event, { ...detail, path: at } as never);
      });
    }
    for (const child of tree.children) void this.#group.add(this.#make(child));
  }

  get name(): string {
    return this.#group.name;
  }

  get state(): GroupState {
    return this.#group.state;
  }

  /** By field, for trees that are classes. */
  get children(): Record<string, object> {
    const children = {};
    for (const [name, member] of this.#members) {
      if (member instanceof SupervisedProcess) Object.defineProperty(children, name, { get: () => this.get(name), enumerable: true });
    }
    return children;
  }

  get<T>(path: string): Remote<T> {
    const { tree, name } = this.#find(path);
    const member = tree.#members.get(name)!;
    if (!(member instanceof SupervisedProcess)) throw new UnitNotFoundError(`${path} is a group; name one of its children: ${[...member.#members.keys()].map((child) => `${path}/${child}`).join(', ')}`, { id: path });
    const { proxy } = member;
    if (!proxy) throw new UnitNotFoundError(`${path} has never been up, so there is nothing to call yet`, { id: path });
    return proxy as Remote<T>;
  }

  async add(child: ChildDefinition, under = ''): Promise<void> {
    if (under) {
      const { tree, name } = this.#find(under);
      const member = tree.#members.get(name)!;
      if (member instanceof SupervisedProcess) throw new InvalidOptionError(`${under} is a process and has no children`, { option: 'under' });
      return member.add(child);
    }
    const definition = readChild(child, this.name);
    if (this.#members.has(definition.name)) throw new InvalidOptionError(`${this.name}: there is a child '${definition.name}' already`, { option: 'name' });
    const made = this.#make(definition);
    try {
      await this.#group.add(made);
    } catch (error) {
      this.#members.delete(definition.name);
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    const { tree, name } = this.#find(path);
    const member = tree.#members.get(name)!;
    member.end();
    await tree.#group.remove(name);
    tree.#members.delete(name);
    if (member instanceof SupervisionTree) member.#refuse('stopped');
    else member.refuse('stopped');
  }

  async restart(path: string): Promise<void> {
    const { tree, name } = this.#find(path);
    await tree.#group.restart(name);
  }

  status(): SupervisionStatus {
    const status = this.#group.status();
    const children = status.children.map((child): SupervisedStatus => {
      const member = this.#members.get(child.name);
      if (member instanceof SupervisionTree) return { ...child, group: member.status() };
      return { ...child, ...(member?.unit && { process: member.unit.info() }) };
    });
    return { ...status, children };
  }

  async start(): Promise<void> {
    this.context.onState(this, true);
    try {
      await this.#group.start();
    } catch (error) {
      this.#refuse('stopped');
      this.context.onState(this, false);
      throw error;
    }
  }

  async stop(options: { timeout?: Duration } = {}): Promise<void> {
    refuseUnknown(options, ['timeout'], 'stop');
    this.end();
    const stopped = this.#group.stop();
    if (options.timeout !== undefined && !(await within(stopped, parseDuration(options.timeout, 'timeout')))) {
      // Order is a courtesy that takes too long now.
      await Promise.all(this.#processes().map((unit) => unit.stop({ timeout: 0 })));
    }
    await stopped;
    this.#refuse('stopped');
    this.context.onState(this, false);
  }

  /** The end of the manager. */
  async shutdown({ timeout }: { timeout: number; reason: string }): Promise<void> {
    await this.stop({ timeout });
  }

  on<E extends keyof SupervisionEvents>(event: E, listener: (detail: SupervisionEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  [inspect.custom](): string {
    return `Supervision<${this.name}> { state: '${this.state}', children: [${[...this.#members.keys()].join(', ')}] }`;
  }

  /** From now on the end of each child is the end. */
  end(): void {
    for (const member of this.#members.values()) member.end();
  }

  #make(child: Tree['children'][number]) {
    const { name } = child;
    if ('tree' in child) {
      const path = this.path ? `${this.path}/${name}` : name;
      const { tree, ...common } = child;
      const nested = new SupervisionTree({ ...tree, options: { ...tree.options, name } }, this.context, path, this.#events);
      this.#members.set(name, nested);
      return nested.#group.asChild(common);
    }
    const file = this.context.check(child.file, { name, ...child.options });
    const member = new SupervisedProcess(child, () => this.#group, (options, signal) => this.context.spawnUnit(file, options, signal));
    this.#members.set(name, member);
    return member.asChild();
  }

  #onEnded({ name, state, error }: GroupEvents['child-ended']): void {
    const member = this.#members.get(name);
    const why = state === 'failed' && error ? () => error : () => new ProcessStoppedError(`${name}: it has ended and ${this.name} does not bring it back; restart('${name}') does`, { process: name, cause: error });
    if (member instanceof SupervisionTree) member.#refuse(state === 'failed' ? 'failed' : 'stopped', why);
    else member?.refuse(state === 'failed' ? 'failed' : 'stopped', why);
  }

  #refuse(status: 'stopped' | 'failed', error?: () => Error): void {
    for (const member of this.#members.values()) {
      if (member instanceof SupervisionTree) member.#refuse(status, error);
      else member.refuse(status, error);
    }
  }

  #processes(): ManagedProcess[] {
    return [...this.#members.values()].flatMap((member) => (member instanceof SupervisionTree ? member.#processes() : (member.unit ?? [])));
  }

  #find(path: string): { tree: SupervisionTree; name: string } {
    const [first = '', ...rest] = path.split('/');
    const member = this.#members.get(first);
    if (!member || (rest.length > 0 && !(member instanceof SupervisionTree))) {
      throw new UnitNotFoundError(`${this.name} has no child '${path}'; it has ${[...this.#members.keys()].join(', ') || 'none'}`, { id: path });
    }
    return rest.length > 0 ? (member as SupervisionTree).#find(rest.join('/')) : { tree: this, name: first };
  }
}

