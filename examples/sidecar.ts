// Processes that call each other: one is handed the proxy of the other. Headers travel along.
// Run it:  npm run build && node --import mimas/register examples/sidecar.ts
import { createProcessManager } from 'mimas';
import type Logbook from './processes/logbook.process.js';
import type Shop from './processes/shop.process.js';

await using pm = createProcessManager();
const log = await pm.spawn<Logbook>(new URL('./processes/logbook.process.ts', import.meta.url));
const shop = await pm.spawn<Shop>(new URL('./processes/shop.process.ts', import.meta.url), { isolation: 'child' });

await shop.useLog(log);
await shop.order('a kettle');
await shop.$with({ headers: { customer: 'Ada' } }).order('a lamp');
console.log((await log.lines()).join('\n'));
