// One thread of a CPU pool as a member of the pool: brought up again when it dies, by the same restart policy as any process.
// Invariants: one call at a time; a call that is given up takes the thread with it, which does not count as a failure.
import { nanoid } from 'nanoid';
import { CallTimeoutError, NotCloneableError, ProcessStoppedError, RestartsExhaustedError } from '../../errors.js';
import { abortsDuring } from '../../rpc/abort-listeners.js';
import { Tag } from '../../rpc/codec.js';
import { currentContext, nextTraceparent } from '../../rpc/context.js';
import { Meter } from '../../rpc/meter.js';
import { told } from '../../rpc/maybe-executed.js';
import { methodNotFound } from '../../rpc/remote.js';
import type { MethodInfo } from '../../rpc/service.js';
import { nameMethod } from '../../rpc/uncloneable.js';
import { transferOfArguments } from '../../rpc/transfer.js';
import { RateMeter, UNKNOWN } from '../../runtime/rates.js';
import { within } from '../../runtime/within.js';
import { Emitter } from '../../supervisor/emitter.js';
import { noteStatusStep } from '../../supervisor/process-status.js';
import { haltText, type Halt } from '../../supervisor/halt.js';
import type { CallOptions, HealthCheckResult, HealthStatus, ProcessInfo, ProcessMetrics, ProcessStatus } from '../../types.js';
import { parseDuration } from '../../units.js';
import type { Member, MemberEvents } from '../member.js';
import { bootThread } from './boot-thread.js';
import { Bound } from './bound.js';
import type { CpuOptions } from './options.js';
import { own, type Booted } from './protocol.js';
import { codec, readReply, Thrown } from './reply.js';
import { Revival } from './revival.js';
import { threadDeath } from './thread-death.js';
import { NotSentError, type Thread, type ThreadEnd, type Threads } from './threads.js';

/** Answers may need this much longer than what is asked for, ms. */
const SLACK_MS = 500;
/** A thread that computes is waited for no longer than this, ms. */
const BUSY_MS = 50;
const USAGE_TIMEOUT = 1_000;
/** Percent of a core that one thread can use. */
const ONE_CORE = 100;
const OUTPUT_GRACE_MS = 15;
/** Of the grace that is left, for shutdown hooks: the thread needs some time to answer. */
const HOOKS_SHARE = 0.85;

interface Given {
  readonly method: string;
  readonly since: number;
  /** The thread has it, and has not answered. */
  away: boolean;
  /** The thread was given it. */
  sent: boolean;
  /** Why the call was given up, and the thread with it. */
  reason?: { value: unknown };
}

export class CpuMember implements Member {
  readonly id: string;
  readonly pid = process.pid;
  readonly meter = new Meter();
  restarts = 0;
  failure: Error | undefined;
  #name: string;
  #status: ProcessStatus = 'starting';
  #thread: Thread | undefined;
  /** It threw, and is about to end. */
  #dying: Thread | undefined;
  /** The last one that is none of ours any more. */
  #left: Thread | undefined;
  #methods = new Map<string, MethodInfo>();
  #withheld: readonly string[] = [];
  #methodNames: readonly string[] = [];
  #current: Given | undefined;
  #idle: (() => void)[] = [];
  #stopping: Promise<void> | undefined;
  #reviving: Promise<void> | undefined;
  #startedAt = 0;
  #version: string | undefined;
  #rates = new RateMeter(ONE_CORE);
  #healthTimer: NodeJS.Timeout | undefined;
  /** It has answered a call since it came up. */
  #served = false;
  /** Of the call that it had when it was left. */
  #had: string | undefined;
  readonly #stop = new AbortController();
  readonly #revival: Revival;
  readonly #events = new Emitter<MemberEvents & { status: ProcessStatus }>();

  private constructor(
    private readonly threads: Threads,
    private readonly options: CpuOptions,
  ) {
    this.#name = options.name ?? 'process';
    this.id = `${options.label}-${nanoid(10)}`;
    this.#revival = new Revival(options.restartPolicy, () => this.#revive());
  }

  /** Rejects as a spawn does. */
  static async start(threads: Threads, options: CpuOptions, signal: AbortSignal): Promise<CpuMember> {
    const member = new CpuMember(threads, options);
    await abortsDuring(signal, () => member.#stop.abort(signal.reason), member.#boot());
    return member;
  }

  get name(): string {
    return this.#name;
  }
  get status(): ProcessStatus {
    return this.#status;
  }
  get halt(): Halt | undefined {
    return this.#revival.halt;
  }
  get threadId(): number | undefined {
    return this.#thread?.threadId;
  }

  readonly methodNames = () => this.#methodNames;
  readonly methods = () => this.#methodNames;
  readonly withheld = () => this.#withheld;
  methodInfo(name: string): MethodInfo | undefined {
    return this.#methods.get(name);
  }
  info(): ProcessInfo {
    const { id, pid, threadId, restarts, options } = this;
    const startTime = this.#thread && new Date(performance.timeOrigin + this.#startedAt);
    return { id, name: this.#name, version: this.#version, file: options.file, status: this.#status, isolation: 'worker', transport: 'ipc', pid, threadId, startTime, restarts };
  }

  onStatus(listener: (status: ProcessStatus) => void): () => void {
    return this.#events.on('status', listener);
  }

  readonly hear = <E extends keyof MemberEvents>(event: E, listener: (detail: MemberEvents[E]) => void): (() => void) => this.#events.on(event, listener as never);

  // ── calls ──

  async invoke(name: string, args: unknown[], options: CallOptions): Promise<unknown> {
    const method = this.#methods.get(name);
    const thread = this.#thread;
    if (!method) throw told(methodNotFound(this, name), false);
    if (!thread || this.#stopping) throw told(new ProcessStoppedError(`${this.#name}.${name}(): the thread is ${this.#status} and takes no calls`, { process: this.#name, method: name }), false);
    const given: Given = (this.#current = { method: name, since: performance.now(), away: false, sent: false });
    let failed = true;
    let bound: Bound | undefined;
    try {
      bound = this.#bounds(method, options, given, thread);
      const transfer = transferOfArguments(args, options.transfer);
      const encoded = codec.encode(args, transfer ? { root: 'args', standalone: true, transfer } : ARGS);
      const headers = this.#headers(options);
      const { tag, payload, attachments } = encoded;
      const plain = tag === Tag.INLINE && bound?.timeLeft === undefined && headers === undefined;
      given.sent = given.away = true;
      const reply = await this.threads.run(thread, 'call', plain ? [method.number, payload as unknown[]] : [method.number, tag, own(payload), attachments, bound?.timeLeft, headers], encoded.transfer, bound?.signal);
      this.#takenBack(given);
      const value = readReply(reply, this.#name);
      failed = false;
      this.#served = true;
      return value;
    } catch (error) {
      // How it ends is decided. What Piscina did not take it may still reject when the signal aborts, with nobody to hear of it.
      bound?.release();
      const unsent = error instanceof NotSentError ? error : undefined;
      if (unsent && !unsent.threadLost) this.#takenBack(given);
      const whole = await this.#explain(unsent ? unsent.cause : error, name, given, thread, options);
      const begun = given.sent && !unsent && (error as Error | undefined)?.name !== 'DataCloneError';
      throw whole === options.signal?.reason ? whole : told(whole, begun);
    } finally {
      this.#takenBack(given);
      bound?.release();
      if (this.#current === given) this.#current = undefined;
      this.#measure(name, given, failed);
      if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** The thread does not have it any more. */
  #takenBack(given: Given): void {
    if (!given.away) return;
    given.away = false;
    this.threads.settled();
  }

  #measure(name: string, { since }: Given, failed: boolean): void {
    if (this.options.metrics) this.meter.method(name).record(performance.now() - since, failed);
  }

  /** What ends the call before its time; undefined when nothing can, which costs nothing then. */
  #bounds(method: MethodInfo, options: CallOptions, given: Given, thread: Thread): Bound | undefined {
    const { signal } = options;
    const timeout = options.timeout ?? method.timeout ?? this.options.timeout;
    let ms = timeout === undefined ? Infinity : parseDuration(timeout, 'timeout');
    const context = currentContext();
    if (context?.deadline !== undefined) ms = Math.min(ms, Math.max(0, context.deadline - Date.now()));
    if (ms <= 0 && context) throw new CallTimeoutError(`${this.#name}.${method.name}(): the deadline of ${context.process}.${context.method} has passed`, { method: method.name, process: this.#name, timeout: 0 });
    if (ms === Infinity && !signal) return undefined;
    return new Bound(ms, signal, (cause) => {
      const reason = cause ? cause.value : new CallTimeoutError(`${this.#name}.${method.name}(): no answer within its timeout of ${Math.round(ms)} ms; its thread was ended`, { method: method.name, process: this.#name, timeout: ms });
      given.reason = { value: reason };
      // The method may compute for ever: only the end of its thread ends it. That says nothing against the thread.
      if (this.#leave(thread) && !cause) this.#lost([method.name], reason as Error);
      thread.kill();
      this.#revive();
    });
  }

  #headers({ headers }: CallOptions): Readonly<Record<string, string>> | undefined {
    const inherited = currentContext()?.headers;
    const own = inherited && Object.keys(inherited).length > 0 ? { ...inherited, ...headers } : headers;
    return this.options.tracing ? { ...own, traceparent: nextTraceparent(own?.['traceparent']) } : own;
  }

  /** The error that the caller gets. */
  async #explain(error: unknown, method: string, given: Given, thread: Thread, { signal }: CallOptions): Promise<unknown> {
    if (error instanceof Thrown) return error.error;
    if (given.reason) return given.reason.value;
    if (signal?.aborted) return signal.reason;
    if ((error as Error)?.name === 'DataCloneError') return new NotCloneableError(`${this.#name}.${method}(): ${(error as Error).message}`, { path: 'args', method, cause: error });
    if (error instanceof NotCloneableError) return nameMethod(error, this.#name, method);
    // Thrown on this side, by an option or a getter: the thread had no part in it and lives on.
    if (!given.away) return error;
    if (this.#stopping) return new ProcessStoppedError(`${this.#name}.${method}(): the pool was stopped while the call ran`, { process: this.#name, method });
    // Piscina knows of its end before this side hears of it, and a loop that was blocked hears of it later still: it gets no more calls.
    if (this.#leave(thread)) this.#dying = thread;
    const end = (await within(thread.ended, SLACK_MS)) ? await thread.ended : undefined;
    if (!end) thread.kill();
    await thread.output.ended(OUTPUT_GRACE_MS);
    return this.#deathError(end, method, thread);
  }

  #deathError(end: ThreadEnd | undefined, method: string, thread: Thread): Error {
    return threadDeath(end, { name: this.#name, method, thread, maxMemory: this.options.maxMemory });
  }

  // ── its lives ──

  async #boot(): Promise<void> {
    this.#up(await bootThread(this.threads, this.options, this.#stop.signal));
  }

  #up({ thread, booted: { name, version, methods, withheld, healthInterval, usage } }: { thread: Thread; booted: Booted }): void {
    this.#rates = new RateMeter(ONE_CORE);
    this.#rates.add(usage);
    this.#withheld = withheld;
    this.#thread = thread;
    this.#name = name;
    this.#version = version;
    this.#methods = new Map(methods.map((info) => [info.name, info]));
    this.#methodNames = methods.map((info) => info.name);
    this.#startedAt = performance.now();
    this.failure = undefined;
    this.#revival.up();
    // It takes no calls any more, although it has not ended yet.
    thread.worker.once('error', () => void (this.#leave(thread) && (this.#dying = thread)));
    void thread.ended.then((end) => this.#died(thread, end));
    thread.listen((line, stream) => this.options.onLog({ id: this.id, name, stream, line }));
    const interval = this.options.healthInterval ?? healthInterval;
    if (interval !== undefined) this.#healthTimer = setInterval(() => void this.health(), interval).unref();
    this.#setStatus('running');
  }

  /** This thread is none of ours any more. */
  #leave(thread: Thread): boolean {
    if (this.#thread !== thread) return false;
    this.#thread = undefined;
    this.#left = thread;
    this.#had = this.#current?.method;
    clearInterval(this.#healthTimer);
    if (!this.#stopping) this.#setStatus('restarting');
    return true;
  }

  #died(thread: Thread, end: ThreadEnd): void {
    const ours = this.#leave(thread) || this.#dying === thread;
    this.#dying = undefined;
    if (!ours || this.#stopping) return;
    const error = this.#deathError(end, '', thread);
    this.#lost(this.#had === undefined ? [] : [this.#had], error);
    this.#again(error, { clean: end.code === 0 && !end.error, start: false });
  }

  /** It has ended, and not because somebody wanted that. */
  #lost(methods: readonly string[], error: Error): void {
    this.meter.died(methods);
    this.#events.emit('death', { methods, error });
  }

  /** By the restart policy. */
  #again(error: Error, how: { clean: boolean; start: boolean }): void {
    this.failure = error;
    const ended = this.#revival.after(error, { ...how, served: this.#served });
    this.#served = false;
    if (!ended) return void (this.halt && this.#events.emit('halt', this.halt));
    this.failure = new RestartsExhaustedError(`${this.#name}: ${error.message} (${ended})`, { process: this.#name, restarts: this.restarts, cause: error });
    this.#setStatus('failed');
  }

  async retry(): Promise<void> {
    if (this.#stopping || !this.halt) return;
    this.#revival.anew();
    await this.#reviving;
    if (!this.#thread) throw this.failure;
  }

  #revive(): void {
    if (!this.#stopping) this.#reviving = this.#bootAgain();
  }

  async #bootAgain(): Promise<void> {
    this.restarts++;
    try {
      await this.#boot();
    } catch (error) {
      if (!this.#stopping) this.#again(error as Error, { clean: false, start: true });
    }
  }

  stop({ reason, timeout }: { reason: string; timeout?: number | undefined }): Promise<void> {
    return (this.#stopping ??= this.#shutDown(reason, timeout ?? this.options.gracePeriod));
  }

  async #shutDown(reason: string, grace: number): Promise<void> {
    const thread = this.#thread;
    this.#revival.cancel();
    clearInterval(this.#healthTimer);
    if (thread) {
      this.#setStatus('stopping');
      const end = performance.now() + grace;
      const left = (share = 1) => Math.max(0, (end - performance.now()) * share);
      if (this.#current) await within(new Promise<void>((resolve) => this.#idle.push(resolve)), left());
      if (!this.#current && grace > 0) {
        const hooks = this.threads.run(thread, 'stop', { reason, hooks: left(HOOKS_SHARE) }).then(
          (failed) => failed.forEach((message) => process.emitWarning(`shutdown hook of ${this.#name}: ${message}`, 'MimasWarning')),
          () => {},
        );
        await within(Promise.race([hooks, thread.ended]), left());
      }
      this.#thread = undefined;
      thread.kill();
      await thread.gone();
    } else {
      this.#stop.abort(new ProcessStoppedError(`${this.#name}: the thread was stopped`, { process: this.#name }));
      this.#left?.kill();
      await Promise.all([this.#reviving, this.#left?.gone()]);
    }
    if (this.#status !== 'failed') this.#setStatus('stopped');
  }

  // ── how it is ──

  async health(): Promise<HealthStatus> {
    const thread = this.#thread;
    const { healthTimeout } = this.options;
    if (!thread) return report('unhealthy', { name: 'process', status: 'fail', message: [`${this.#name} is ${this.#status}`, this.halt ? haltText(this.halt) : (this.failure?.message ?? [])].flat().join(': ') });
    let answer: HealthStatus | undefined;
    const asked = this.threads.run(thread, 'health', healthTimeout).then((status) => void (answer = status), () => {});
    // A thread that computes answers when it is done. To be busy is its work, and no sign of illness.
    const inTime = await within(Promise.race([asked, thread.ended]), this.#current ? Math.min(healthTimeout, BUSY_MS) : healthTimeout + SLACK_MS);
    if (answer) return answer;
    const busy = this.#current;
    if (this.#thread === thread && busy) return report('healthy', { name: 'busy', status: 'pass', message: `runs ${busy.method}() for ${Math.round(performance.now() - busy.since)} ms` });
    if (!inTime && this.#leave(thread)) (this.#dying = thread).kill();
    return report('unhealthy', { name: 'responsive', status: 'fail', message: `${this.#name} gave no answer within ${healthTimeout + SLACK_MS} ms` });
  }

  async metrics(): Promise<ProcessMetrics> {
    const thread = this.#thread;
    if (thread && !this.#current) {
      const rates = this.#rates;
      const asked = this.threads.run(thread, 'usage', undefined as never).then((now) => rates.add(now), () => {});
      await within(Promise.race([asked, thread.ended]), USAGE_TIMEOUT);
    }
    const measured = this.#thread ? this.#rates : undefined;
    const { cpu, loop, window } = measured?.rates ?? UNKNOWN;
    return {
      cpu,
      memory: measured?.last?.memory ?? 0,
      eventLoopUtilization: loop,
      rateWindow: window,
      ...this.meter.snapshot(),
      inFlight: this.#current ? 1 : 0,
      queued: 0,
      restarts: this.restarts,
      uptime: this.#thread ? performance.now() - this.#startedAt : 0,
    };
  }

  #setStatus(status: ProcessStatus): void {
    if (this.#status === status) return;
    noteStatusStep(this.#name, this.#status, status);
    this.#status = status;
    this.#events.emit('status', status);
  }
}

const ARGS = { root: 'args', standalone: true } as const;

const report = (status: HealthStatus['status'], check: HealthCheckResult): HealthStatus => ({ status, checks: [check], timestamp: Date.now() });
