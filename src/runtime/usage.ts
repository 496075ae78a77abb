// Readings of the thread or process that this runs in: CPU time, memory, event loop.
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { Usage } from './protocol.js';

export function readUsage(): Usage {
  const loop = performance.eventLoopUtilization();
  return {
    cpu: isMainThread ? processCpu() : threadCpu(loop.active),
    memory: isMainThread ? process.memoryUsage.rss() : threadMemory(),
    loopActive: loop.active,
    loopIdle: loop.idle,
    at: performance.now(),
  };
}

function processCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds. Node ≥ 23.9 tells; Linux keeps it per thread; elsewhere the active time of the loop comes near. */
function threadCpu(loopActive: number): number {
  const { threadCpuUsage } = process as { threadCpuUsage?: () => { user: number; system: number } };
  if (threadCpuUsage) {
    const { user, system } = threadCpuUsage.call(process);
    return user + system;
  }
  try {
    // First field: nanoseconds on a CPU (Linux Documentation/scheduler/sched-stats.rst). Synchronous reads run on this very thread.
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1000;
  } catch {
    return loopActive * 1000;
  }
}

function threadMemory(): number {
  // Not imported: a start does not need it.
  const heap = process.getBuiltinModule('node:v8').getHeapStatistics();
  return heap.total_heap_size + heap.external_memory;
}
