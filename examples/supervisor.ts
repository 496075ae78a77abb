// Three memory stores under one supervisor: started, checked at each resync, updated while they run, ended gracefully.
// Run it:  npm run build && node --import mimas/register examples/supervisor.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { Supervisor, type SyncContext, type SyncResult, type Syncer, type TerminatingContext, type UpdateType } from 'mimas/supervisor';

// As fast as the clock, or faster: `SPEED=100` runs the 23 seconds in a quarter of one.
const pace = Number(process.env['SPEED'] ?? 1);
const pass = (ms: number) => sleep(ms / pace);
const seconds = (ms: number) => `${Math.round(ms / 1000)}s`;

interface StoreConfig { maxKeys: number; ttl: number }

class MemStore {
  readonly #data = new Map<string, string>();
  config: StoreConfig;

  constructor(config: StoreConfig) {
    this.config = config;
  }

  health(): string {
    return `healthy - healthy, ${this.#data.size} keys stored`;
  }

  close(): void {
    this.#data.clear();
  }
}

class MemStoreSyncer implements Syncer<StoreConfig> {
  readonly #stores = new Map<string, MemStore>();

  syncProcess({ id }: SyncContext, updateType: UpdateType, config: StoreConfig): SyncResult {
    let store = this.#stores.get(id);
    if (!store) {
      console.log(`Creating new MemStore instance: ${id}`);
      store = new MemStore(config);
      this.#stores.set(id, store);
      this.#initialize(id, store, config);
      console.log(`Starting MemStore ${id}`);
    } else if (updateType === 'update') {
      this.#initialize(id, store, config);
    }
    console.log(`Checking health of MemStore ${id}`);
    console.log(`MemStore ${id} health: ${store.health()}`);
    return { terminal: false };
  }

  async syncTerminatingProcess({ id, gracePeriod, report }: TerminatingContext): Promise<void> {
    console.log(`Stopping MemStore ${id} (grace period: ${gracePeriod / 1000} seconds)`);
    report('closing');
    await pass(100);
    this.#stores.get(id)?.close();
    console.log(`MemStore ${id} stopped successfully`);
  }

  syncTerminatedProcess({ id }: { id: string }): void {
    this.#stores.delete(id);
  }

  #initialize(id: string, store: MemStore, config: StoreConfig): void {
    console.log(`Initializing MemStore ${id} with config: ${JSON.stringify(config)}`);
    store.config = config;
  }
}

const supervisor = new Supervisor<StoreConfig>({ syncer: new MemStoreSyncer(), resyncInterval: 10_000 / pace, backOffPeriod: '5s' });
const ids = ['memstore-1', 'memstore-2', 'memstore-3'];

console.log('=== MemStore ProcessManager Example ===');

console.log('\n--- Starting 3 MemStore processes ---');
await Promise.all(ids.map((id, i) => supervisor.updateProcess({ id, updateType: 'create', config: { maxKeys: 1000 * (i + 1), ttl: 60 } })));
await pass(2000);

console.log('\n--- Checking process health ---');
const health = supervisor.health();
console.log(`Total processes: ${health.totalProcesses}`);
console.log(`Running processes: ${health.runningProcesses}`);
console.log(`Failed processes: ${health.failedProcesses}`);
console.log(`Work queue depth: ${health.workQueueDepth}`);
for (const [id, { state, healthy, uptime, errorCount }] of Object.entries(health.processes)) {
  console.log(`  Process ${id}: state=${state}, healthy=${healthy}, uptime=${seconds(uptime * pace)}, errors=${errorCount}`);
}

console.log('\n--- Running for 15 seconds (periodic resyncs will occur) ---');
await pass(15_000);

console.log('\n--- Updating memstore-2 configuration ---');
await supervisor.updateProcess({ id: 'memstore-2', updateType: 'update', config: { maxKeys: 5000, ttl: 120 } });
await pass(5500);

console.log('\n--- Terminating memstore-1 gracefully ---');
await supervisor.updateProcess({ id: 'memstore-1', updateType: 'terminate', terminateOptions: { gracePeriod: '5s' } });
await pass(400);

console.log('\n--- Final health check ---');
const final = supervisor.health();
console.log(`Total processes: ${final.totalProcesses}`);
console.log(`Running processes: ${final.runningProcesses}`);
console.log(`Terminating processes: ${final.terminatingProcesses}`);
for (const [id, { state, healthy, uptime }] of Object.entries(final.processes)) {
  console.log(`  Process ${id}: state=${state}, healthy=${healthy}, uptime=${seconds(uptime * pace)}`);
}

console.log('\n--- Shutting down process manager ---');
await supervisor.shutdown({ signal: AbortSignal.timeout(30_000) });
console.log('Shutdown completed successfully');

console.log('\n=== Example complete ===');
