// Any mixture of operations while their processes are restarted or killed.
import { spawned } from './processes.js';
import { interleave } from './property.js';

interleave([
  spawned({ isolation: 'worker', transport: 'ipc' }, 30, { disturbed: true }),
  spawned({ isolation: 'child', transport: 'ipc' }, 20, { disturbed: true }),
  spawned({ isolation: 'child', transport: 'tcp' }, 20, { disturbed: true }),
]);
