// Isolation `worker`: the host lives in a worker thread, reached over a MessagePort of its own.
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { InvalidOptionError, isError } from '../errors.js';
import { withLatency } from '../transport/polled-link.js';
import { PortLink } from '../transport/port.js';
import { fillCodeCache, sharedCodeCache } from './code-cache.js';
import { threadEnvironment } from './environment.js';
import { Ending, THREAD_END_MS } from './ending.js';
import { threadFlags } from './flags.js';
import { newMemoryBound, wentOver, type MemoryBound } from './memory-guard.js';
import { watchThread } from './memory-watch.js';
import { Output } from './output.js';
import { resourceLimitsOf } from './resource-limits.js';
import type { Incarnation, LaunchOptions } from './runtime.js';

const BOOT = new URL('../runtime/boot-thread.cjs', import.meta.url);

/** What `terminate` makes of a thread. */
const TERMINATED = { code: 1, signal: null } as const;

export async function launchThread(options: LaunchOptions): Promise<Incarnation> {
  const { port1, port2 } = new MessageChannel();
  const memory = options.maxMemory === undefined ? undefined : newMemoryBound(options.maxMemory);
  const worker = startWorker(options, port2, memory);
  void fillCodeCache();
  const link = withLatency(new PortLink(port1, `${options.name} (worker ${worker.threadId})`), options.latency);
  const output = new Output(options.onLine, options.inheritOutput ? { stdout: process.stdout, stderr: process.stderr } : {}, options.overflow);
  output.tap(worker.stdout, 'stdout');
  output.tap(worker.stderr, 'stderr');
  const { threadId } = worker;
  let error: Error | undefined;
  worker.on('error', (thrown: unknown) => (error = isError(thrown) ? thrown : new Error(String(thrown))));
  const ending = new Ending({
    limit: THREAD_END_MS,
    killed: {
      ...TERMINATED,
      get outOfMemory() {
        return wentOver(memory);
      },
    },
    why: 'it is stuck in native code and ends when that returns',
    onOver() {
      // Answers that were sent before the end count.
      for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1)) port1.emit('message', last.message);
      // It must not keep the program alive, should nobody have listened to it yet.
      port1.close();
    },
  });
  void ending.exited.then(() => output.left());
  worker.once('exit', (code) => ending.end({ code, signal: null, error, outOfMemory: wentOver(memory) || (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY' }));
  const kill = () => {
    // Once: each `terminate` makes the thread keep the program alive again.
    if (ending.killed()) void worker.terminate();
  };
  if (memory) void ending.exited.then(watchThread(worker, memory, kill));
  // Left to itself, it must not keep the program alive.
  void ending.abandoned.then(() => worker.unref());
  return {
    isolation: 'worker',
    link,
    pid: process.pid,
    threadId,
    exited: ending.exited,
    ended: ending.ended,
    abandoned: ending.abandoned,
    lines: () => output.lines(),
    stderrTail: () => output.stderrTail(),
    outputEnded: (limit) => output.ended(limit),
    terminate: () => false,
    kill,
    gone: () => ending.gone(),
  };
}

function startWorker(options: LaunchOptions, port: import('node:worker_threads').MessagePort, memory: MemoryBound | undefined): Worker {
  const env = threadEnvironment(options.env);
  const { execArgv = threadFlags } = options;
  try {
    return new Worker(BOOT, {
      name: options.name,
      workerData: { port, maxFrame: options.maxFrame, latency: options.latency, ...(process.sourceMapsEnabled ? { sourceMaps: true } : {}), code: sharedCodeCache(), ...(memory ? { memory } : {}) },
      transferList: [port],
      stdout: true,
      stderr: true,
      ...(options.argv ? { argv: [...options.argv] } : {}),
      ...(execArgv ? { execArgv: [...execArgv] } : {}),
      ...(env ? { env } : {}),
      ...(options.maxMemory === undefined ? {} : { resourceLimits: resourceLimitsOf(options.maxMemory) }),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_INVALID_EXEC_ARGV') throw new InvalidOptionError(`execArgv: ${(error as Error).message}; threads take only some flags, isolation 'child' takes all`, { option: 'execArgv', cause: error });
    throw error;
  }
}
