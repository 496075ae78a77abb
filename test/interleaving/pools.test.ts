// Any mixture of operations on a pool, with and without replicas that crash.
import { pooled } from './processes.js';
import { interleave } from './property.js';

interleave([
  pooled({ isolation: 'worker', transport: 'ipc' }, 3, 150),
  pooled({ isolation: 'child', transport: 'unix' }, 2, 100),
  pooled({ isolation: 'worker', transport: 'ipc' }, 3, 25, { disturbed: ['die'] }),
  pooled({ isolation: 'child', transport: 'ipc' }, 2, 15, { disturbed: ['die'] }),
]);
