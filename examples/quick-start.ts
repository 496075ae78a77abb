// The two-file example of the README: a class in another thread, called like an object.
// Run it:  npm run build && node --import mimas/register examples/quick-start.ts
import { createProcessManager } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

await using pm = createProcessManager();
const calc = await pm.spawn<Calculator>(new URL('../processes/calculator.process.ts', import.meta.url));

console.log(await calc.add(5, 3));
for await (const n of calc.countTo(3)) console.log(n);
await calc.divide(1, 0).catch((error: unknown) => console.log(error instanceof RangeError, String(error)));
