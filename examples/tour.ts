// `npm start [folder]`: what Mimas does, on real input, in a few seconds. Each step prints what it does and checks it.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createProcessManager, type HealthStatus, type Isolation, type PoolMetrics } from 'mimas';
import type Calculator from '../processes/calculator.process.js';
import type Flaky from '../processes/flaky.process.js';
import type Hasher from '../processes/hasher.process.js';
import type { FileHash } from '../processes/hasher.process.js';
import { bold, check, green, Progress, red, row, step, dim } from './tour-output.js';

const started = performance.now();
const startedAt = Date.now();
const processes = new URL('../processes/', import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const asked = resolve(process.argv[2] ?? root);
if (!existsSync(asked)) {
  console.error(`there is no folder ${asked}`);
  process.exit(2);
}
const folder = realpathSync(asked);
/** Of this project itself, what is neither source nor document. Of a folder that was named, everything. */
const SKIPPED = process.argv[2] === undefined ? new Set(['node_modules', '.git', 'dist']) : new Set<string>();

console.log(`${bold('Mimas')} turns a class into a supervised process that you call like an object.\n`);
const pm = createProcessManager({ output: 'capture', restartPolicy: { backoff: { initial: 50 } } });

step('One class, three places');
for (const isolation of ['none', 'worker', 'child'] as Isolation[]) {
  const begin = performance.now();
  const calc = await pm.spawn<Calculator>(new URL('calculator.process.ts', processes), { isolation });
  const up = performance.now() - begin;
  const sum = await calc.add(5, 3);
  const { pid, threadId } = calc.$handle;
  const where = { none: 'this thread', worker: `thread ${threadId}`, child: `process ${pid}` }[isolation];
  row(isolation, `add(5, 3) = ${sum}`, `${where}, up in ${up.toFixed(0)} ms`);
  check(sum === 8, 'the sum is right');
}

step('A stream');
const calc = await pm.spawn<Calculator>(new URL('calculator.process.ts', processes));
const counted: number[] = [];
for await (const n of calc.countTo(1_000_000)) {
  counted.push(n);
  if (n === 10) break;
}
row('countTo(1000000)', counted.join(' '), 'left after 10: the producer stops, too');
check(counted.length === 10, 'ten items came');

step('An error keeps its class');
const error = (await calc.divide(1, 0).catch((thrown: unknown) => thrown)) as Error;
row('divide(1, 0)', `${error.name}: ${error.message}`, 'thrown in the thread, caught here');
check(error instanceof RangeError, 'it is a RangeError');

step('A cancelled call');
const flaky = await pm.spawn<Flaky>(new URL('flaky.process.ts', processes));
const begin = performance.now();
const cancelled = (await flaky.$with({ signal: AbortSignal.timeout(100) }).slow(60_000).catch((thrown: unknown) => thrown)) as Error;
row('slow(60000)', `${cancelled.name} after ${(performance.now() - begin).toFixed(0)} ms`, 'the method saw its AbortSignal');
check(cancelled.name === 'TimeoutError' && flaky.$handle.restarts === 0, 'the call ended, the process did not');

const { hashes, killed, metrics, health, failed } = await hashEverything();
step('Every hash, computed again in this thread');
const differing = hashes.filter(({ file, sha256 }) => createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256);
// Somebody else may write to the folder while the tour reads it.
const changed = differing.filter(({ file }) => statSync(file).mtimeMs >= startedAt);
const wrong = differing.filter((hash) => !changed.includes(hash));
const bytes = hashes.reduce((sum, hash) => sum + hash.bytes, 0);
row('compared', `${hashes.length} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`, wrong.length === 0 ? (changed.length === 0 ? 'all alike' : `all alike but ${changed.length} that changed meanwhile`) : `${wrong.length} differ`);
check(wrong.length === 0, 'every hash is right');
if (failed.length > 0) row('not readable', String(failed.length), failed[0]!);

step('Health and metrics');
row('health', health.status, `${health.checks.length === 0 ? 'no check of its own' : health.checks.map(({ name, status }) => `${name}: ${status}`).join(', ')}`);
row('calls', `${metrics.requests} (${metrics.errors} failed)`, `p50 ${metrics.latency.p50.toFixed(1)} ms, p95 ${metrics.latency.p95.toFixed(1)} ms, p99 ${metrics.latency.p99.toFixed(1)} ms`);
for (const replica of metrics.replicas) row(`process ${replica.pid}`, `${replica.calls} calls`, `${(replica.memory / 2 ** 20).toFixed(0)} MiB${replica.rateWindow === 0 ? '' : `, ${replica.cpu.toFixed(0)} % of a core`}${replica.restarts > 0 ? `, restarted ${replica.restarts}×` : ''}`);
const calls = await pm.getMetrics(calc);
row('calculator', `${calls.requests} calls (${calls.errors} failed)`, `up for ${(calls.uptime / 1000).toFixed(1)} s`);

step('A clean exit');
const children = [...new Set([...pm.listProcesses(), ...metrics.replicas].map(({ pid }) => pid))].filter((pid): pid is number => pid !== undefined && pid !== process.pid);
await pm.shutdown();
const left = [...children, ...(killed === undefined ? [] : [killed])].filter(isAlive);
/** What keeps a program from ending, beside its own output and the timer of the wait below. */
const holding = () => process.getActiveResourcesInfo().filter((kind) => !/^(?:TTYWrap|PipeWrap|FSReqCallback|Timeout)$/.test(kind));
// The exit of a process is known a moment before Node lets go of its handle.
for (let i = 0; i < 100 && holding().length > 0; i++) await sleep(10);
const handles = holding();
row('left running', left.length === 0 ? 'nothing' : left.join(), `${children.length} processes gone`);
check(left.length === 0, 'no process is left');
check(handles.length === 0, `nothing holds this program${handles.length > 0 ? `: ${handles.join()}` : ''}`);
console.log(`\n${process.exitCode ? red('Something did not hold.') : green('Everything held.')} ${dim(`${((performance.now() - started) / 1000).toFixed(1)} s`)}`);

async function hashEverything(): Promise<{ hashes: FileHash[]; failed: string[]; killed: number | undefined; metrics: PoolMetrics; health: HealthStatus }> {
  const files = [...walk(folder)];
  const size = Math.min(4, Math.max(2, availableParallelism()));
  step(`A pool of ${size} processes hashes ${files.length} files under ${relative(process.cwd(), folder) || 'this folder'}`);
  const pool = await pm.pool<Hasher>(new URL('hasher.process.ts', processes), { size, strategy: 'least-loaded', isolation: 'child', concurrency: 4 });
  const progress = new Progress(files.length);
  const failed: string[] = [];
  const hashes: FileHash[] = [];
  let killed: number | undefined;
  const settled = await Promise.all(
    files.map(async (file) => {
      try {
        hashes.push(await pool.sha256(file));
      } catch (thrown) {
        failed.push(`${file}: ${(thrown as Error).message}`);
      }
      progress.tick();
      if (killed === undefined && hashes.length >= files.length / 2) {
        const victim = pool.$handle.replicas().find(({ active, pid }) => active > 0 && pid !== undefined);
        killed = victim?.pid;
        if (killed !== undefined) {
          process.kill(killed, 'SIGKILL');
          progress.note(`killed process ${killed} with ${victim!.active} calls in flight`);
        }
      }
      return file;
    }),
  );
  progress.end();
  const done = new Set(hashes.map(({ file }) => file));
  const lost = settled.filter((file) => !done.has(file)).length - failed.length;
  row('hashed', `${hashes.length} of ${files.length} files`, killed === undefined ? '' : `${lost} lost: interrupted calls ran again`);
  if (killed !== undefined) {
    const deadline = performance.now() + 15_000;
    const healed = () => pool.$handle.replicas().find(({ restarts, status }) => restarts > 0 && status === 'running');
    while (!healed() && performance.now() < deadline) await sleep(10);
    const heir = healed();
    row('healed', heir ? `process ${heir.pid} took its place` : 'not yet');
    check(heir !== undefined, 'the killed process was replaced');
  } else if (files.length >= 20) check(false, 'one process was killed half-way');
  check(lost === 0 && hashes.length + failed.length === files.length, 'no file was lost');
  return { hashes, failed, killed, metrics: await pool.$handle.metrics(), health: await pool.$handle.health() };
}

/** Regular files, not what links point to. */
function* walk(path: string): Generator<string> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile()) yield path;
  if (!stats?.isDirectory()) return;
  for (const name of readdirSync(path)) if (!SKIPPED.has(name)) yield* walk(join(path, name));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
