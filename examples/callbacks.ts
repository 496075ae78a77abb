// Functions as arguments: they run here, called from the process. They work for the length of the call; `keep` holds one longer.
// Run it:  npm run build && node --import mimas/register examples/callbacks.ts
import { createProcessManager, keep } from 'mimas';
import type Counter from '../processes/counter.process.js';

await using pm = createProcessManager();
const counter = await pm.spawn<Counter>(new URL('../processes/counter.process.ts', import.meta.url), { dependencies: { start: 7 } });

console.log('reached', await counter.countUp(10, (value) => console.log('step', value)));

const listener = keep((value: number) => console.log('changed to', value));
const unsubscribe = await counter.subscribe(listener);
await counter.increment(32);
console.log('listeners', await counter.listeners());
await unsubscribe();
console.log('listeners', await counter.listeners());
await counter.increment();
console.log('value', await counter.value());
