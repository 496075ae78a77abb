// Where a call may go: one way to make a ledger process or pool for each, ended after the test.
import { writeFileSync } from 'node:fs';
import { type PoolSpawnOptions, type Remote, type SpawnOptions } from 'mimas';
import { manager, temporaryFile } from '../manager/helpers.js';
import type { LedgerProcess } from './process.js';

export const LEDGER = new URL('../fixtures/ledger/ledger.js', import.meta.url);

export const PLACES = ['none', 'worker', 'child', 'pool', 'cpu'] as const;
export type Place = (typeof PLACES)[number];
export type Options = SpawnOptions & Pick<PoolSpawnOptions, 'breaker' | 'poison'> & { queue?: number };

export interface Placed {
  readonly calls: Remote<LedgerProcess>;
  readonly file: string;
  stop(): Promise<void>;
}

/** One process, or one replica that runs one call at a time; `options.queue`: how many may wait. */
export async function make(place: Place, { queue, breaker, poison, ...options }: Options = {}): Promise<Placed> {
  const file = temporaryFile('executions');
  writeFileSync(file, '');
  const dependencies = { file, ...(options.dependencies as object) };
  // Threads of CPU pools print to this program's own output.
  const pm = manager(place === 'cpu' ? { output: 'inherit' } : {});
  const waiting = queue === undefined ? {} : { maxQueue: queue };
  const own = { ...options, dependencies };
  const calls = place === 'pool' || place === 'cpu'
    ? await pm.pool<LedgerProcess>(LEDGER, { ...own, ...waiting, size: 1, concurrency: 1, ...(breaker && { breaker }), ...(poison && { poison }), ...(place === 'cpu' ? { workload: 'cpu' as const } : {}) })
    : await pm.spawn<LedgerProcess>(LEDGER, { ...own, ...waiting, isolation: place });
  const handle = calls.$handle as unknown as { stop(options: object): Promise<void> };
  return { calls: calls as Remote<LedgerProcess>, file, stop: () => handle.stop({ timeout: 50 }) };
}
