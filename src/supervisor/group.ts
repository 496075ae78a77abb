// A group of children that live and die together: started in order, each when the one before is ready, stopped in reverse,
// restarted by strategy within a budget. One operation at a time; when the budget is used up the group stops and escalates.
import { InvalidOptionError, RestartsExhaustedError, UnitNotFoundError } from '../errors.js';
import type { Clock } from './clock.js';
import { Emitter } from './emitter.js';
import { toError } from './engine.js';
import { Member, type ChildStatus, type GroupChild } from './group-child.js';
import { resolveGroupOptions, type GroupEvents, type GroupOptions, type GroupState, type GroupStrategy } from './group-options.js';
import { RestartTracker } from './restart-policy.js';
import type { ExitReport } from './syncer.js';

type Exit = Pick<ExitReport, 'error' | 'clean'>;

export class Group {
  readonly name: string;
  readonly strategy: GroupStrategy;
  readonly #clock: Clock;
  readonly #events: Emitter<GroupEvents>;
  readonly #tracker: RestartTracker;
  readonly #members: Member[] = [];
  #state: GroupState = 'stopped';
  #failure: Error | undefined;
  #restarts = 0;
  /** Aborts when the group is to stop: whatever waits or starts gives up. */
  #life = new AbortController();
  #tail: Promise<unknown> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #escalateTo: ((report: Exit) => void) | undefined;

  constructor(children: Iterable<GroupChild>, options: GroupOptions = {}) {
    const { name, strategy, clock, onError, budget } = resolveGroupOptions(options);
    this.name = name;
    this.strategy = strategy;
    this.#clock = clock;
    this.#events = new Emitter(onError);
    this.#tracker = new RestartTracker(budget);
    for (const child of children) this.#insert(child);
  }

  get state(): GroupState {
    return this.#state;
  }

  on<Name extends keyof GroupEvents>(name: Name, listener: (event: GroupEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener);
  }

  status(): { name: string; state: GroupState; strategy: GroupStrategy; restarts: number; error: Error | undefined; children: ChildStatus[] } {
    return { name: this.name, state: this.#state, strategy: this.strategy, restarts: this.#restarts, error: this.#failure, children: this.#members.map((member) => member.status()) };
  }

  /** Starts all children in order; resolves when all are ready. When one fails, those before it are stopped and its error is thrown. */
  start(): Promise<void> {
    if (this.#starting) return this.#starting;
    if (this.#state === 'running') return Promise.resolve();
    const starting = this.#enqueue(() => this.#startAll()).finally(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
    return (this.#starting = starting);
  }

  /** Stops all children in reverse order, cutting short whatever start, restart or wait is under way. */
  stop(): Promise<void> {
    this.#life.abort(new DOMException(`${this.name} is stopping`, 'AbortError'));
    this.#starting = undefined;
    if (this.#state === 'running') this.#state = 'stopping';
    return this.#enqueue(async () => {
      if (this.#state === 'stopped' || this.#state === 'failed') return;
      this.#state = 'stopping';
      await this.#stopMembers(this.#members);
      for (const member of this.#members) member.settle();
      this.#state = 'stopped';
    });
  }

  /** Tells that a child has died by itself (the same as `ctx.exited` in its start function). False when it was not running. */
  notifyExit(name: string, report: Exit = {}): boolean {
    return this.#onExit(this.#member(name), report);
  }

  /** Tells that a child was ended on purpose: it is not brought back before `restart(name)`. */
  notifyStopped(name: string): void {
    const member = this.#member(name);
    if (member.up || member.down) this.#rest(member, undefined);
  }

  /** Adds a child at the end; in a running group it is started, and not added when that fails. */
  async add(child: GroupChild): Promise<void> {
    const member = this.#insert(child);
    await this.#enqueue(async () => {
      if (this.#state !== 'running' || member.up) return;
      try {
        await this.#startMember(member);
      } catch (error) {
        this.#members.splice(this.#members.indexOf(member), 1);
        throw error;
      }
    });
  }

  /** Stops a child and takes it out. */
  remove(name: string): Promise<void> {
    const member = this.#member(name);
    return this.#enqueue(async () => {
      await this.#stopMembers([member]);
      const at = this.#members.indexOf(member);
      if (at >= 0) this.#members.splice(at, 1);
    });
  }

  /** Restarts one child, whatever its state; an explicit restart is not counted, and clears the count. When it fails, the child stays down. */
  restart(name: string): Promise<void> {
    const member = this.#member(name);
    return this.#enqueue(async () => {
      if (this.#state !== 'running') throw new InvalidOptionError(`${this.name} is ${this.#state}: ${name} cannot be restarted`, { option: 'name' });
      this.#tracker.reset();
      await this.#stopMembers([member]);
      await this.#startMember(member);
    });
  }

  /** This group as a child of another one: when its budget is used up, that one decides. */
  asChild(options: Pick<GroupChild, 'type' | 'critical' | 'optional'> = {}): GroupChild {
    return {
      ...options,
      name: this.name,
      start: async (ctx) => {
        this.#escalateTo = ctx.exited;
        const cut = () => void this.stop();
        ctx.signal.addEventListener('abort', cut, { once: true });
        await this.start().finally(() => ctx.signal.removeEventListener('abort', cut));
      },
      stop: () => {
        this.#escalateTo = undefined;
        return this.stop();
      },
    };
  }

  #insert(child: GroupChild): Member {
    if (this.#members.some(({ name }) => name === child.name)) throw new InvalidOptionError(`${this.name}: there is a child '${child.name}' already`, { option: 'name' });
    const member = new Member(child);
    this.#members.push(member);
    return member;
  }

  #member(name: string): Member {
    const member = this.#members.find((candidate) => candidate.name === name);
    if (!member) throw new UnitNotFoundError(`${this.name} has no child '${name}'`, { id: name });
    return member;
  }

  #enqueue<Result>(operation: () => Promise<Result>): Promise<Result> {
    const run = this.#tail.then(operation);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  async #startAll(): Promise<void> {
    if (this.#state === 'running') return;
    this.#state = 'starting';
    this.#failure = undefined;
    this.#tracker.reset();
    this.#life = new AbortController();
    try {
      for (const member of this.#members) {
        this.#life.signal.throwIfAborted();
        try {
          await this.#startMember(member);
        } catch (error) {
          if (!member.child.optional) throw error;
          this.#giveUp(member, toError(error));
        }
      }
      this.#life.signal.throwIfAborted();
      this.#state = 'running';
    } catch (error) {
      await this.#stopMembers(this.#members);
      this.#state = 'stopped';
      throw error;
    }
  }

  async #startMember(member: Member): Promise<void> {
    try {
      await member.start(this.#life.signal, (report) => this.#onExit(member, report));
    } catch (thrown) {
      this.#events.emit('child-failed', { name: member.name, during: 'start', error: toError(thrown) });
      throw thrown;
    }
    this.#events.emit('child-started', { name: member.name });
  }

  async #stopMembers(members: readonly Member[]): Promise<void> {
    for (const member of [...members].reverse()) {
      if (!member.up) continue;
      // Not in parallel: those that were started later may need those before them until they are gone.
      const error = await member.stop();
      if (error) this.#events.emit('child-failed', { name: member.name, during: 'stop', error });
      this.#events.emit('child-stopped', { name: member.name });
    }
  }

  #onExit(member: Member, report: Exit): boolean {
    if (!member.markDown()) return false;
    const clean = report.clean ?? false;
    const error = report.error === undefined ? undefined : toError(report.error);
    this.#events.emit('child-exit', { name: member.name, clean, error });
    void this.#enqueue(() => this.#recover(member, { clean, error }));
    return true;
  }

  /** Brings a dead child back, by strategy. A start that fails on the way is one more death, of the child that failed. */
  async #recover(dead: Member, exit: { clean: boolean; error: Error | undefined }): Promise<void> {
    const { signal } = this.#life;
    let culprit = dead;
    let { clean, error } = exit;
    while (culprit.down && this.#state === 'running' && !signal.aborted) {
      const type = culprit.child.type ?? 'permanent';
      const affected = this.#affectedBy(culprit);
      if (type === 'temporary' || (type === 'transient' && clean)) this.#rest(culprit, clean ? undefined : error);
      else {
        const decision = this.#tracker.onExit({ clean, now: this.#clock.now() });
        if (decision.action === 'stop') {
          if (culprit.child.critical !== false) return this.#escalate(this.#exhausted(culprit, error));
          this.#rests(culprit, error, signal);
        } else {
          this.#events.emit('child-restart', { name: culprit.name, restarts: ++this.#restarts, delay: decision.delay });
          if (!(await this.#wait(decision.delay, signal))) return;
          await this.#stopMembers(affected);
        }
      }
      // Also when the culprit itself stays down: siblings may be stopped because of the death that began all this.
      const failure = await this.#startMissing(affected, signal);
      if (!failure) return this.#tracker.onStart(this.#clock.now());
      [culprit, clean, error] = [failure.member, false, failure.error];
    }
  }

  /** The budget allows no restart of a child that the others can do without: it is tried again when it does, if ever. */
  #rests(member: Member, cause: Error | undefined, signal: AbortSignal): void {
    const delay = this.#tracker.allowedIn(this.#clock.now());
    const retryAfter = delay === Infinity ? undefined : Math.ceil(delay);
    const error = this.#exhausted(member, cause, retryAfter);
    this.#events.emit('child-ended', { name: member.name, state: 'failed', error, ...(retryAfter !== undefined && { retryAfter }) });
    if (delay !== Infinity) void this.#wait(delay, signal, true).then((go) => void (go && this.#enqueue(() => this.#retry(member, signal))));
  }

  async #retry(member: Member, signal: AbortSignal): Promise<void> {
    // Somebody may have restarted it meanwhile, or taken it out.
    if (signal.aborted || this.#state !== 'running' || !member.failed || !this.#members.includes(member)) return;
    const now = this.#clock.now();
    if (this.#tracker.onExit({ clean: false, now }).action === 'stop') return this.#rests(member, member.status().lastError, signal);
    this.#events.emit('child-restart', { name: member.name, restarts: ++this.#restarts, delay: 0 });
    try {
      await this.#startMember(member);
    } catch (error) {
      if (!signal.aborted) this.#rests(member, toError(error), signal);
    }
  }

  async #startMissing(members: readonly Member[], signal: AbortSignal): Promise<{ member: Member; error: Error } | undefined> {
    for (const member of members) {
      if (signal.aborted) return undefined;
      if (!member.wanted || member.up) continue;
      try {
        await this.#startMember(member);
      } catch (thrown) {
        return { member, error: toError(thrown) };
      }
    }
    return undefined;
  }

  #affectedBy(culprit: Member): Member[] {
    if (this.strategy === 'one-for-all') return [...this.#members];
    const at = this.#members.indexOf(culprit);
    return this.strategy === 'rest-for-one' ? this.#members.slice(at) : this.#members.slice(at, at + 1);
  }

  #exhausted(culprit: Member, cause: Error | undefined, retryAfter?: number): RestartsExhaustedError {
    const { maxRestarts, window } = this.#tracker.policy;
    const why = `${this.name}: '${culprit.name}' died, and ${maxRestarts} restarts within ${window} ms are used up${retryAfter === undefined ? '' : `; it is tried again in ${retryAfter} ms`}${cause ? `; last: ${cause.message}` : ''}`;
    const error = new RestartsExhaustedError(why, { process: culprit.name, restarts: this.#restarts, limit: 'maxRestarts', cause, ...(retryAfter !== undefined && { retryAfter }) });
    culprit.giveUp(error);
    return error;
  }

  #rest(member: Member, error: Error | undefined): void {
    member.rest(error);
    this.#events.emit('child-ended', { name: member.name, state: 'ended', error });
  }

  #giveUp(member: Member, error: Error): void {
    member.giveUp(error);
    this.#events.emit('child-ended', { name: member.name, state: 'failed', error });
  }

  async #escalate(error: RestartsExhaustedError): Promise<void> {
    this.#failure = error;
    this.#state = 'failed';
    await this.#stopMembers(this.#members);
    this.#events.emit('escalate', { name: this.name, error });
    this.#escalateTo?.({ error, clean: false });
  }

  /** False when the group was told to stop meanwhile. */
  #wait(delay: number, signal: AbortSignal, unref = false): Promise<boolean> {
    if (delay <= 0 || signal.aborted) return Promise.resolve(!signal.aborted);
    return new Promise((resolve) => {
      const done = (go: boolean) => {
        this.#clock.clearTimeout(timer);
        signal.removeEventListener('abort', cut);
        resolve(go);
      };
      const cut = () => done(false);
      const timer = this.#clock.setTimeout(() => done(true), delay, { unref });
      signal.addEventListener('abort', cut, { once: true });
    });
  }
}
