// Workerpool with one worker: a thread, a process.
import { fileURLToPath } from 'node:url';
import workerpool from 'workerpool';

const script = fileURLToPath(new URL('../serve/workerpool.mjs', import.meta.url));

function system(name, group, workerType, more) {
  return {
    name, group, kind: 'peer', ...more,
    async start() {
      const pool = workerpool.pool(script, { workerType, minWorkers: 1, maxWorkers: 1 });
      const echoTransfer = (bytes) => pool.exec('echoTransfer', [bytes], { transfer: [bytes.buffer] });
      return { add: (a, b) => pool.exec('add', [a, b]), echo: (x) => pool.exec('echo', [x]), ...(workerType === 'thread' ? { echoTransfer } : {}), close: () => pool.terminate(true) };
    },
  };
}

export const systems = [system('workerpool thread', 'thread', 'thread', {}), system('workerpool process', 'child', 'process', { binary: false })];
