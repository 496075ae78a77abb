// What the owner of threads and children sees of their memory, for those who cannot be asked, or not trusted with, the answer.
// Invariant: nobody is ended for garbage alone: who holds more than its limit is asked what is left after a collection, and who does
// not answer has to hold more than what V8 may leave uncollected. One timer for all; it keeps no program alive.
import type { Worker } from 'node:worker_threads';
import type { MemoryBound } from './memory-guard.js';
import { memoryOf, statFields } from './process-facts.js';

/** V8 lets Buffers of so many bytes lie before it collects them. */
export const COLLECTED_AT = 64 * 1024 * 1024;
const LOOK_MS = 100;
/** Between two questions to who is over its limit by garbage, or by memory that V8 knows nothing of, ms: each costs it a collection. */
const ASK_AGAIN_MS = 1_000;
const LONGEST_ASK_MS = 60_000;
/** Of Linux on x64; where pages are larger less is seen. */
const PAGE = 4096;

const looks = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/** Runs `look` again and again until the function that it answers is called. */
function watch(look: () => void): () => void {
  looks.add(look);
  timer ??= setInterval(() => looks.forEach((one) => one()), LOOK_MS).unref();
  return () => {
    if (!looks.delete(look) || looks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export interface ChildWatch {
  readonly pid: number;
  readonly limit: number;
  /** What it holds, without garbage when that is more than the limit; rejects when it has ended. */
  ask(limit: number): Promise<number>;
  end(): void;
}

/** Watches a child; the function that it answers ends that. */
export function watchChild({ pid, limit, ask, end }: ChildWatch): () => void {
  let asking = false;
  let askedAt = -Infinity;
  let askedWith = 0;
  let rest = ASK_AGAIN_MS;
  return watch(() => {
    const holds = memoryOf(pid, 'RssAnon');
    if (holds !== undefined && holds > limit + COLLECTED_AT) return end();
    // Without `/proc` only it can tell.
    if (asking || (holds !== undefined && holds <= limit)) return;
    const now = performance.now();
    const grown = holds !== undefined && holds > askedWith * 1.1;
    if (now - askedAt < (grown ? ASK_AGAIN_MS / 2 : rest)) return;
    rest = grown || holds === undefined ? ASK_AGAIN_MS : Math.min(rest * 2, LONGEST_ASK_MS);
    asking = true;
    askedAt = now;
    askedWith = holds ?? 0;
    ask(limit).then((left) => left > limit && end(), () => {}).finally(() => (asking = false));
  });
}

type Asked = Worker & { getHeapStatistics?: () => Promise<{ used_heap_size: number; external_memory: number }> };

/** Watches a thread that is too busy to look at itself; the function that it answers ends that. */
export function watchThread(worker: Worker, { limit, state }: MemoryBound, end: () => void): () => void {
  let beat = -1;
  let since = readings(0);
  let asking = false;
  const over = () => {
    Atomics.store(state, 0, 1);
    end();
  };
  return watch(() => {
    const now = Atomics.load(state, 1);
    const thread = Atomics.load(state, 2);
    if (now !== beat) {
      beat = now;
      since = readings(thread);
      return;
    }
    const { getHeapStatistics } = worker as Asked;
    if (getHeapStatistics) {
      if (asking) return;
      asking = true;
      const asked = getHeapStatistics.call(worker) as Promise<{ used_heap_size: number; external_memory: number }>;
      asked.then((heap) => heap.used_heap_size + heap.external_memory > limit + COLLECTED_AT && over(), () => {}).finally(() => (asking = false));
    } else if (thread > 0) {
      const { grown, touched } = readings(thread);
      if (Math.min(grown - since.grown, touched - since.touched) > limit + COLLECTED_AT) over();
    }
  });
}

/** Node before 22.16 cannot be asked about a busy thread. What it has touched for the first time, if the program has grown by that much, is its own. */
function readings(thread: number): { grown: number; touched: number } {
  const { heapTotal, external } = process.memoryUsage();
  return { grown: (memoryOf('self', 'RssAnon') ?? 0) - heapTotal - external, touched: Number(statFields(`self/task/${thread}`)?.[7] ?? 0) * PAGE };
}
