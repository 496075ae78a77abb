// Streams in both directions. The producer waits when the consumer is slow; leaving the loop ends the producer.
// Run it:  npm run build && node --import mimas/register examples/streaming.ts
import { createProcessManager } from 'mimas';
import type Calculator from '../processes/calculator.process.js';
import type Counter from '../processes/counter.process.js';

await using pm = createProcessManager();
const calc = await pm.spawn<Calculator>(new URL('../processes/calculator.process.ts', import.meta.url));
const counter = await pm.spawn<Counter>(new URL('../processes/counter.process.ts', import.meta.url));

// Out: a generator method. `break` runs the generator's `finally` in the process.
let sum = 0;
for await (const n of calc.countTo(1_000_000)) {
  sum += n;
  if (n === 1000) break;
}
console.log('sum of 1 to 1000:', sum);

// In: a generator passed as an argument is read by the process, item by item.
async function* readings() {
  for (const n of [10, 20, 12]) yield n;
}
console.log('added up over there:', await counter.addAll(readings()));

// A stream without an end: watch the counter while it moves.
const increments = (async () => {
  for (let i = 0; i < 3; i++) await counter.increment();
})();
for await (const value of counter.watch()) {
  if (value < 45) continue;
  console.log('saw it reach', value);
  break;
}
await increments;
