// A pool: several replicas behind one typed proxy. A crash replaces the replica; calls of idempotent methods are run again.
// Run it:  npm run build && node --import mimas/register examples/pool.ts
import { createProcessManager } from 'mimas';
import type ImageProcessor from '../processes/image-processor.process.js';

await using pm = createProcessManager();
const pool = await pm.pool<ImageProcessor>(new URL('../processes/image-processor.process.ts', import.meta.url), { size: 3, strategy: 'least-loaded' });

const image = { width: 320, height: 200, data: new Uint8Array(320 * 200 * 4).fill(128) };
const images = await Promise.all(Array.from({ length: 12 }, () => pool.blur(image, 4)));
console.log('blurred', images.length, 'images of', images[0]?.data.length, 'bytes');

const replicas = pool.$handle.replicas();
console.log('replicas', replicas.length, 'in as many threads:', new Set(replicas.map(({ threadId }) => threadId)).size);

await pool.$handle.scale(4);
console.log('scaled to', pool.$handle.size);
await pool.$handle.reload();
const metrics = await pool.$handle.metrics();
console.log('reloaded; calls so far', metrics.requests, 'errors', metrics.errors, 'health', (await pool.$handle.health()).status);
