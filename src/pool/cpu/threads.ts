// The threads of one CPU pool: a Piscina in which every task says which thread it is for. The pool's strategy has chosen that
// thread; Piscina's `loadBalancer` carries the choice out. Invariant: Piscina adds a thread only for `boot`, and never by itself.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker, type ResourceLimits } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { InvalidOptionError, isError } from '../../errors.js';
import { Ending, THREAD_END_MS } from '../../runtime/ending.js';
import { threadFlags } from '../../runtime/flags.js';
import type { MemoryBound } from '../../runtime/memory-guard.js';
import { watchThread } from '../../runtime/memory-watch.js';
import { Output, type LineListener } from '../../runtime/output.js';
import { within } from '../../runtime/within.js';
import { Pacer } from '../../transport/pacer.js';
import { ALONE, CROWDED } from './patience.js';
import type { BootOrder, Booted, Packed, ThreadTasks } from './protocol.js';

const ENTRY = fileURLToPath(new URL('./worker.js', import.meta.url));
/** More threads than any pool has: the size is the pool's to decide. */
const MAX_THREADS = 65_536;
const CORES = availableParallelism();

type LoadBalancer = NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']>;

/** A thread, for those who want to know of the ones that do not end. */
export interface WatchedThread {
  readonly pid: number;
  readonly threadId: number;
  readonly ended: Promise<void>;
  readonly abandoned: Promise<string>;
}

export interface ThreadsOptions {
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly argv: readonly string[] | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly resourceLimits: ResourceLimits | undefined;
  onThread?(thread: WatchedThread): void;
}

/** A task never got to its thread; `cause` says why. */
export class NotSentError extends Error {
  constructor(
    cause: unknown,
    /** The thread has ended; else it is the message that cannot be sent. */
    readonly threadLost: boolean,
  ) {
    super('not sent', { cause });
  }
}

/** From the kill of all threads of a pool to the moment when the pool is over, ms. */
const CLOSE_MS = 2 * THREAD_END_MS;

/** How a thread ended. */
export interface ThreadEnd {
  readonly code: number;
  readonly error: Error | undefined;
}

export interface Thread {
  readonly worker: Worker;
  readonly threadId: number;
  readonly output: Output;
  /** What bounds it, once it has booted. */
  memory: MemoryBound | undefined;
  /** Resolves once, when it runs no more, or a moment after `kill`. */
  readonly ended: Promise<ThreadEnd>;
  /** Ends it. Its calls are rejected at once, whatever it still does. */
  kill(): void;
  /** Resolves when it has ended, or was killed and is waited for no longer. */
  gone(): Promise<void>;
  /** Hears each line that it prints, those before among them. */
  listen(onLine: LineListener): void;
}

export class Threads {
  readonly #piscina: Piscina;
  /** Threads that a boot was given to, or that have booted. */
  readonly #claimed: Set<number>;
  readonly #target: { id: number };
  readonly #known = new WeakSet<Worker>();
  /** By id, those that run. */
  readonly #alive = new Map<number, Thread>();
  readonly #alone = new Pacer(ALONE, undefined);
  readonly #crowded = new Pacer(CROWDED, undefined);
  /** Calls that threads have. */
  #calls = 0;
  readonly #booting = new Set<AbortController>();
  /** Of threads that were killed: resolve when they have ended or are given up. */
  readonly #leaving = new Set<Promise<void>>();

  private constructor(
    piscina: Piscina,
    claimed: Set<number>,
    target: { id: number },
    private readonly onThread: ThreadsOptions['onThread'],
  ) {
    this.#piscina = piscina;
    this.#claimed = claimed;
    this.#target = target;
    // Each thread is watched by itself.
    piscina.on('error', () => {});
  }

  /** Piscina is loaded here, by the first CPU pool of a program. */
  static async create(options: ThreadsOptions): Promise<Threads> {
    const { Piscina } = await import('piscina');
    const { execArgv = threadFlags } = options;
    if (options.execArgv) await checkFlags(options.execArgv);
    const claimed = new Set<number>();
    const target = { id: -1 };
    const loadBalancer: LoadBalancer = (task, workers) => {
      if ((task as { name?: string }).name !== 'boot') {
        const chosen = workers.find(({ id }) => id === target.id);
        // Left to itself Piscina would keep the task for another thread, and add threads until one takes it.
        if (!chosen) throw new Error('the thread has ended');
        return chosen;
      }
      const fresh = workers.find(({ id }) => !claimed.has(id));
      if (fresh) claimed.add(fresh.id);
      return fresh ?? null;
    };
    const piscina = new Piscina({
      filename: ENTRY,
      minThreads: 0,
      maxThreads: MAX_THREADS,
      idleTimeout: Infinity,
      // 'sync' would stop the event loop of a thread between calls: timers and sockets of a process would stand still.
      atomics: 'disabled',
      recordTiming: false,
      loadBalancer,
      ...(options.env ? { env: options.env as Record<string, string> } : {}),
      ...(options.argv ? { argv: [...options.argv] } : {}),
      ...(execArgv ? { execArgv: [...execArgv] } : {}),
      ...(options.resourceLimits ? { resourceLimits: options.resourceLimits } : {}),
    });
    return new Threads(piscina, claimed, target, options.onThread);
  }

  /** Starts a thread and has it load the process. Rejects, with nothing left of it, when it dies meanwhile, or with the signal's reason. */
  async boot(order: BootOrder, signal: AbortSignal): Promise<{ thread: Thread; reply: Booted | Packed }> {
    const controller = new AbortController();
    const giveUp = () => controller.abort(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    this.#booting.add(controller);
    const thread = () => this.#alive.get(Atomics.load(order.progress, 1));
    try {
      signal.throwIfAborted();
      const booted = this.#begin(order, controller);
      const reply = await booted;
      const up = thread();
      if (!up) throw new Error('the thread ended as it became ready');
      if (order.memory) {
        up.memory = order.memory;
        void up.ended.then(watchThread(up.worker, order.memory, up.kill));
      }
      return { thread: up, reply };
    } catch (error) {
      // Piscina has told it to end, and waits for that for ever.
      thread()?.kill();
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      this.#booting.delete(controller);
      signal.removeEventListener('abort', giveUp);
    }
  }

  #begin(order: BootOrder, controller: AbortController): Promise<Booted | Packed> {
    const booted = this.#piscina.run(order, { name: 'boot', signal: controller.signal }) as Promise<Booted | Packed>;
    for (const worker of this.#piscina.threads) this.#watch(worker);
    return booted;
  }

  /** Hands a task to one thread, now. Rejects when it dies meanwhile; `signal` kills it. */
  run<Name extends keyof ThreadTasks>(thread: Thread, name: Name, task: Parameters<ThreadTasks[Name]>[0], transferList?: readonly unknown[], signal?: AbortSignal): Promise<Awaited<ReturnType<ThreadTasks[Name]>>> {
    this.#target.id = thread.threadId;
    const options: { name: string; transferList?: never; signal?: AbortSignal } = { name };
    if (transferList && transferList.length > 0) options.transferList = transferList as never;
    if (signal) options.signal = signal;
    if (name === 'call') {
      this.#calls++;
      this.#pacer.sent();
    }
    try {
      if (!options.transferList) return this.#piscina.run(task, options) as Promise<Awaited<ReturnType<ThreadTasks[Name]>>>;
      const { completed } = this.#piscina;
      const answer = this.#piscina.run(task, options) as Promise<Awaited<ReturnType<ThreadTasks[Name]>>>;
      // Over before it was sent: the engine refused something in it.
      return this.#piscina.completed === completed ? answer : refused(answer);
    } catch (error) {
      return Promise.reject(new NotSentError(error, true));
    }
  }

  /** A call was answered, or will never be. */
  settled(): void {
    const pacer = this.#pacer;
    this.#calls--;
    pacer.arrived();
    pacer.handled();
  }

  get #pacer(): Pacer {
    return this.#calls < CORES ? this.#alone : this.#crowded;
  }

  /** Ends all threads; those that do not end are waited for no longer than any that was killed. */
  async close(): Promise<void> {
    for (const thread of this.#alive.values()) thread.kill();
    // Those that were killed before are no longer Piscina's. Until each is known to have ended or to be stuck, nobody may say that all is gone.
    await Promise.all([within(this.#piscina.destroy(), CLOSE_MS), ...this.#leaving]);
  }

  /** A thread that ends before any file of ours was read: whoever waits for one hears of it. */
  #unborn(threadId: number, error: Error): void {
    if (this.#claimed.has(threadId)) return;
    for (const controller of this.#booting) controller.abort(error);
  }

  #watch(worker: Worker): void {
    if (this.#known.has(worker)) return;
    const { threadId } = worker;
    let early: Parameters<LineListener>[] | undefined = [];
    let hear: LineListener = (...line) => void early?.push(line);
    const listen = (onLine: LineListener) => {
      hear = onLine;
      for (const line of early?.splice(0) ?? []) onLine(...line);
      early = undefined;
    };
    // Heard beside this program's own output, where Piscina lets it go.
    const output = new Output((line, stream) => hear(line, stream));
    output.tap(worker.stdout, 'stdout');
    output.tap(worker.stderr, 'stderr');
    let error: Error | undefined;
    worker.on('error', (thrown: unknown) => {
      error = isError(thrown) ? thrown : new Error(String(thrown));
      this.#unborn(threadId, error);
    });
    const ending = new Ending({
      limit: THREAD_END_MS,
      killed: { code: 1, signal: null, outOfMemory: false },
      why: 'it is stuck in native code and ends when that returns',
      onOver: () => void this.#alive.delete(threadId),
    });
    worker.on('exit', (code) => {
      if (runs(worker)) return;
      this.#unborn(threadId, new Error(`it exited with code ${code}`));
      this.#claimed.delete(threadId);
      ending.end({ code, signal: null, outOfMemory: false });
    });
    void ending.abandoned.then(() => worker.unref());
    const ended = ending.exited.then(({ code }) => {
      // Piscina is to hear it, too: until then it keeps the calls of the thread.
      if (runs(worker)) worker.emit('exit', code);
      return { code: code ?? 1, error };
    });
    const kill = () => {
      if (!ending.killed()) return;
      void worker.terminate();
      const gone = ending.gone();
      this.#leaving.add(gone);
      void gone.then(() => this.#leaving.delete(gone));
    };
    this.#known.add(worker);
    this.#alive.set(threadId, { worker, threadId, output, memory: undefined, ended, listen, kill, gone: () => ending.gone() });
    this.onThread?.({ pid: process.pid, threadId, ended: ending.ended, abandoned: ending.abandoned });
  }
}

const refused = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer;
  } catch (error) {
    throw new NotSentError(error, false);
  }
};

const runs = (worker: Worker): boolean => worker.threadId !== -1;

/** A task whose thread cannot be made would be lost in Piscina, so that flags are tried before. @throws InvalidOptionError */
async function checkFlags(execArgv: readonly string[]): Promise<void> {
  try {
    await new Worker('', { eval: true, execArgv: [...execArgv] }).terminate();
  } catch (error) {
    throw new InvalidOptionError(`execArgv: ${(error as Error).message}; threads take only some flags`, { option: 'execArgv', cause: error });
  }
}
