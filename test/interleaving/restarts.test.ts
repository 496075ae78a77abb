// Any mixture of operations while their processes are restarted or killed, or the links to them cut.
import { spawned } from './processes.js';
import { interleave } from './property.js';

interleave([
  spawned({ isolation: 'worker', transport: 'ipc' }, 30, { disturbed: ['die', 'restart'] }),
  spawned({ isolation: 'child', transport: 'ipc' }, 20, { disturbed: ['die', 'restart'] }),
  spawned({ isolation: 'child', transport: 'tcp' }, 20, { disturbed: ['die', 'restart', 'cut'] }),
  spawned({ isolation: 'child', transport: 'unix' }, 60, { disturbed: ['cut'] }),
]);
