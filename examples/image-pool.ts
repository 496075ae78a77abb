// Images made here, processed by a pool in parallel: blurred, scaled down and encoded as PNG, with a progress bar.
// Run it:  npm run build && node --import mimas/register examples/image-pool.ts [folder for the PNG files]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProcessManager } from 'mimas';
import type ImageProcessor from '../processes/image-processor.process.js';
import type { Image } from '../processes/image-processor.process.js';

const [folder] = process.argv.slice(2);
const COUNT = 24;
const WIDTH = 640;
const HEIGHT = 400;

await using pm = createProcessManager();
const images = await pm.pool<ImageProcessor>(new URL('../processes/image-processor.process.ts', import.meta.url), { size: 'auto', concurrency: 2 });

/** A gradient with noise; each number gives another picture. */
function picture(number: number): Image {
  const data = new Uint8Array(WIDTH * HEIGHT * 4);
  let random = number + 1;
  for (let at = 0; at < data.length; at += 4) {
    const x = (at / 4) % WIDTH;
    const y = Math.floor(at / 4 / WIDTH);
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const noise = random >>> 27;
    data[at] = (x * 224) / WIDTH + noise;
    data[at + 1] = (y * 224) / HEIGHT + noise;
    data[at + 2] = (number * 224) / COUNT + noise;
    data[at + 3] = 255;
  }
  return { width: WIDTH, height: HEIGHT, data };
}

let done = 0;
function progress(): void {
  done++;
  const bar = '█'.repeat(done).padEnd(COUNT, '░');
  // On a terminal the bar grows in place; in a file only its end is of interest.
  if (process.stdout.isTTY) process.stdout.write(`\r${bar} ${done}/${COUNT}`);
  if (done === COUNT) console.log(process.stdout.isTTY ? '' : `${bar} ${done}/${COUNT}`);
}

const started = performance.now();
const pngs = await Promise.all(
  Array.from({ length: COUNT }, async (_, number) => {
    const image = picture(number);
    // Moved, not copied: the pixels are of no more use here.
    const blurred = await images.$with({ transfer: [image.data.buffer as ArrayBuffer] }).blur(image, 6);
    const small = await images.$with({ transfer: [blurred.data.buffer as ArrayBuffer] }).resize(blurred, WIDTH / 4, HEIGHT / 4);
    const png = await images.encode(small);
    if (folder) writeFileSync(join(folder, `image-${number}.png`), png);
    progress();
    return png;
  }),
);
const { requests, errors } = await images.$handle.metrics();
console.log(`${pngs.length} images, ${requests} calls, ${errors} errors, ${images.$handle.size} replicas`);
console.log(`${(performance.now() - started).toFixed(0)} ms`);
