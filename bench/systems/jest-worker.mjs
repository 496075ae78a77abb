// Jest-worker with one child process.
import { fileURLToPath } from 'node:url';
import { Worker } from 'jest-worker';

export const systems = [
  {
    name: 'jest-worker child', group: 'child', kind: 'peer',
    async start() {
      const pool = new Worker(fileURLToPath(new URL('../serve/jest-worker.cjs', import.meta.url)), { numWorkers: 1, exposedMethods: ['add', 'echo'], maxRetries: 0 });
      return { add: (a, b) => pool.add(a, b), echo: (x) => pool.echo(x), close: () => pool.end() };
    },
  },
];
