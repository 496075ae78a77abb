// A supervision tree written as a class: what depends on what, and who is restarted with whom.
// Run it:  npm run build && node --import mimas/register examples/supervision-tree.ts
import { Child, createProcessManager, Supervisor } from 'mimas';
import type Part from './processes/part.process.js';

const file = new URL('./processes/part.process.ts', import.meta.url);
const part = (role: string) => ({ file, options: { dependencies: { role } } });

// The cache reads from the database, the web front from both: when one dies, those after it are started again, too.
@Supervisor({ strategy: 'rest-for-one', intensity: 2, period: '1m' })
class Shop {
  @Child(part('database')) database!: Part;
  @Child(part('cache')) cache!: Part;
  @Child({ ...part('front'), critical: false }) front!: Part;
}

const pm = createProcessManager();
const shop = await pm.supervise(Shop);
shop.on('child-restart', ({ path }) => console.log(`! ${path} died and is restarted`));
shop.on('child-started', ({ path }) => console.log(`+ ${path}`));
shop.on('child-stopped', ({ path }) => console.log(`- ${path}`));
const { database, cache, front } = shop.children;
const askAll = async () => console.log([await database.ask(), await cache.ask(), await front.ask()].join(' | '));

console.log(`--- ${shop.name} is ${shop.state} ---`);
await askAll();

console.log('--- the cache crashes: the front is restarted with it, the database is not ---');
const restarted = new Promise<void>((resolve) => shop.on('child-started', ({ name }) => name === 'front' && resolve()));
await cache.crash().catch(() => undefined);
await restarted;
await askAll();

console.log('--- a child that is not critical is given up alone when the budget is used up ---');
const givenUp = new Promise<void>((resolve) => shop.on('child-ended', ({ path, state }) => {
  console.log(`x ${path} ${state}`);
  resolve();
}));
await front.crash().catch(() => undefined);
await front.ask();
await front.crash().catch(() => undefined);
await givenUp;
const refused = (await front.ask().catch((thrown: unknown) => thrown)) as { code: string };
console.log(`front: ${refused.code}; ${shop.name} is ${shop.state}; ${await database.ask()}`);

console.log('--- the end, in reverse order ---');
await pm.shutdown();
