// The start of one thread of a CPU pool, within `startupTimeout`. Rejects with what a spawn rejects with, and nothing is left then.
import { ProcessStartError } from '../../errors.js';
import { newMemoryBound } from '../../runtime/memory-guard.js';
import { MAX_TIMEOUT } from '../../units.js';
import type { CpuOptions } from './options.js';
import { FAILED, pack, PHASES, type Booted, type Packed } from './protocol.js';
import { codec } from './reply.js';
import { threadStartError } from './thread-death.js';
import type { Thread, Threads } from './threads.js';

/** `stop` gives it up. */
export async function bootThread(threads: Threads, options: CpuOptions, stop: AbortSignal): Promise<{ thread: Thread; booted: Booted }> {
  const { file, caller, name, dependencies, startupTimeout, maxMemory } = options;
  const memory = maxMemory === undefined ? undefined : newMemoryBound(maxMemory);
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const controller = new AbortController();
  const giveUp = () => controller.abort(stop.reason);
  stop.addEventListener('abort', giveUp, { once: true });
  const phase = () => PHASES[Atomics.load(progress, 0)]!;
  const timer = setTimeout(() => controller.abort(new ProcessStartError(`${file}: not ready within ${startupTimeout} ms; it hangs in phase '${phase()}' (raise startupTimeout if it needs longer)`, { file, phase: phase() })), Math.min(startupTimeout, MAX_TIMEOUT));
  try {
    const packed = pack(codec.encode(dependencies, { root: 'dependencies', standalone: true }));
    const { thread, reply } = await threads.boot({ file, name, caller, dependencies: packed, progress, memory, sourceMaps: process.sourceMapsEnabled }, controller.signal);
    if (!Array.isArray(reply)) return { thread, booted: reply as Booted };
    thread.kill();
    const [tag, payload, attachments] = reply as Packed;
    throw codec.decode(tag - FAILED, payload, attachments);
  } catch (error) {
    if (stop.aborted) throw stop.reason;
    throw threadStartError(error, { file, phase: phase(), memory });
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', giveUp);
  }
}
