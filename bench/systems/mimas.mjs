// Mimas through its public API: every isolation over every transport, with all guarantees and metrics on.
import { createProcessManager, transfer } from '../../dist/index.js';
import { withoutGuarantees } from '../lib/without-guarantees.mjs';

const file = new URL('../serve/mimas.process.js', import.meta.url);
const GROUPS = { none: 'in-process', worker: 'thread', child: 'child' };
const QUICK = new Set(['none/ipc', 'worker/ipc', 'child/ipc', 'child/unix', 'child/tcp', 'child/ws']);

function mimas(isolation, transport, { label = '', options = {}, quick = false, jobs, create = () => createProcessManager } = {}) {
  const cell = `${isolation}/${transport}`;
  return {
    name: `mimas ${cell}${label}`, group: transport === 'ipc' ? GROUPS[isolation] : 'socket', kind: 'mimas', quick: quick || (label === '' && QUICK.has(cell)),
    spawnOptions: { isolation, transport, ...options }, processFile: file, ...(jobs && { jobs }),
    async start() {
      const pm = (await create())({ isolation, transport, ...options });
      const proxy = await pm.spawn(file);
      return {
        add: (a, b) => proxy.add(a, b),
        echo: (x) => proxy.echo(x),
        echoTransfer: (bytes) => proxy.echoTransfer(transfer(bytes)),
        async stream(n) {
          let count = 0;
          for await (const _ of proxy.count(n)) count++;
          return count;
        },
        close: () => pm.shutdown({ timeout: 2000 }),
      };
    },
  };
}

const cells = ['none', 'worker', 'child'].flatMap((isolation) => ['ipc', 'unix', 'tcp', 'ws'].map((transport) => mimas(isolation, transport)));
const low = { label: ' low', options: { latency: 'low' }, quick: true };
const lowLatency = [mimas('worker', 'ipc', low), mimas('child', 'unix', { ...low, quick: false })];
const bare = { label: ' no metrics', options: { monitoring: { metrics: false } }, quick: true };
const unguarded = { label: ' no guarantees', jobs: ['overhead'], create: async () => (await import(withoutGuarantees().entry)).createProcessManager };

export const systems = [...cells, ...lowLatency, mimas('none', 'ipc', { ...bare, quick: false }), mimas('worker', 'ipc', bare), mimas('worker', 'ipc', unguarded)];
