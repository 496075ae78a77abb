// Every isolation with every transport: the same class, the same calls, the same results.
// Run it:  npm run build && node --import mimas/register examples/transports.ts
import { createProcessManager, type Isolation, type TransportName } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

const isolations: Isolation[] = ['none', 'worker', 'child'];
const transports: TransportName[] = ['ipc', 'unix', 'tcp', 'ws'];

await using pm = createProcessManager();
for (const isolation of isolations) {
  for (const transport of transports) {
    const calc = await pm.spawn<Calculator>(new URL('../processes/calculator.process.ts', import.meta.url), { isolation, transport });
    const items: number[] = [];
    for await (const n of calc.countTo(3)) items.push(n);
    const error = await calc.divide(1, 0).catch((thrown: unknown) => thrown);
    console.log(isolation.padEnd(6), transport.padEnd(4), await calc.add(5, 3), items.join(), error instanceof RangeError);
    await calc.$handle.stop();
  }
}
