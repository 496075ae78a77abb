// Any mixture of operations over the link to one process, in every isolation.
import { spawned } from './processes.js';
import { interleave } from './property.js';

interleave([
  spawned({ isolation: 'none', transport: 'ipc' }, 200),
  spawned({ isolation: 'worker', transport: 'ipc' }, 250),
  spawned({ isolation: 'child', transport: 'ipc' }, 250),
  spawned({ isolation: 'child', transport: 'unix' }, 200),
  spawned({ isolation: 'worker', transport: 'ws' }, 100),
]);
