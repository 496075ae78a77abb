// `node bench/import.mjs`: what `import 'mimas'` loads in a worker thread: how many modules, how many milliseconds, beside an empty thread.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { median, short } from './lib/stats.mjs';

const MIMAS = new URL('../dist/index.js', import.meta.url).href;
const ROUNDS = 7;

/** @returns {Promise<{ ms: number, modules: string[] }>} */
function importInThread(specifier) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { specifier } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Milliseconds of the import itself, median of fresh threads, and the ES and CommonJS modules that it loads. */
export async function importCost(rounds = ROUNDS) {
  const runs = [];
  for (let round = 0; round < rounds; round++) runs.push(await importInThread(MIMAS));
  return { ms: median(runs.map(({ ms }) => ms)), cpuMs: median(runs.map(({ cpuMs }) => cpuMs)), ...(await countModules()) };
}

/** Counted by a loader in a process of its own: hooks would change the time, and this program's other modules would be counted. */
async function countModules() {
  const { spawnSync } = await import('node:child_process');
  const hooks = `export async function load(url, context, next) { if (url.startsWith('file:')) process._rawDebug('module ' + url); return next(url, context); }`;
  const script = `import { register } from 'node:module'; register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hooks))}); await import(${JSON.stringify(MIMAS)});
    const { default: module } = await import('node:module'); process._rawDebug('commonjs ' + Object.keys(module._cache ?? {}).length);`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const urls = [...stderr.matchAll(/^module (.*)$/gm)].map(([, url]) => url);
  return { modules: urls.length, commonjs: Number(/^commonjs (\d+)$/m.exec(stderr)?.[1] ?? 0), own: urls.filter((url) => url.includes('/dist/')).length, foreign: urls.filter((url) => !url.includes('/dist/')).map((url) => fileURLToPath(url).split('/node_modules/').at(-1)) };
}

if (!isMainThread && workerData?.specifier) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await import(workerData.specifier);
  const { user, system } = process.cpuUsage(cpu);
  parentPort.postMessage({ ms: performance.now() - start, cpuMs: (user + system) / 1000 });
} else if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { ms, cpuMs, modules, commonjs, own, foreign } = await importCost();
  console.log(`import 'mimas' in a thread: ${short(ms)} ms (${short(cpuMs)} ms of CPU), ${modules} modules (${own} of its own, ${commonjs} CommonJS)`);
  console.log(`from packages: ${foreign.join(', ') || 'none'}`);
}
