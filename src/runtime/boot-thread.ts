// What a worker thread does first: boot-thread.cjs, which the bundler writes, calls it. Plain JavaScript once compiled: a TypeScript
// loader given to the program does not reach threads on Node 20, so the host registers one itself, and only for a TypeScript file.
import { workerData, type MessagePort } from 'node:worker_threads';
import { withLatency } from '../transport/polled-link.js';
import { PortLink } from '../transport/port.js';
import type { LatencyMode } from '../types.js';
import { Host } from './host.js';
import { GuardedLink, MemoryGuard, type MemoryBound } from './memory-guard.js';
import { watchStart } from './watch-start.js';

export function bootThread(): void {
  const data = workerData as { port: MessagePort; maxFrame: number | undefined; latency: LatencyMode | undefined; memory?: MemoryBound; sourceMaps?: boolean };
  const { port, maxFrame, latency, memory, sourceMaps } = data;
  if (sourceMaps) process.setSourceMapsEnabled(true);
  // Code that runs here later has no business with it.
  delete data.sourceMaps;
  delete data.memory;
  const link = new PortLink(port, 'main');
  const host = new Host(memory ? new GuardedLink(link, latency, new MemoryGuard(memory)) : withLatency(link, latency), maxFrame, () => process.exit(0));
  watchStart(host);
}
