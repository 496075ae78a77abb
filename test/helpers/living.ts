// What really runs, asked of Node and of the system instead of the library: worker threads of this program, and children that host a process.
import { readdirSync, readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';

const workers = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  workers.add(worker);
  // Also one that only seems to have ended.
  worker.on('exit', () => worker.threadId === -1 && workers.delete(worker));
});

/** Ids of the threads that run. */
export const livingThreads = (): number[] => [...workers].map(({ threadId }) => threadId).filter((id) => id !== -1).sort((a, b) => a - b);

/** By its file at first, by its title once it is up. */
const isHost = (commandLine: string): boolean => commandLine.includes('boot-child') || commandLine.startsWith('mimas: ');

/** Pids of the children that host a process and run. */
export const livingChildren = (of = process.pid): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) === of && !/^State:\s+[ZX]/m.test(status) && isHost(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    })
    .sort((a, b) => a - b);
