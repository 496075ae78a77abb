// A crash: calls in flight fail at once and say that they may have run; the same proxy works again after the restart.
// Run it:  npm run build && node --import mimas/register examples/crash-and-restart.ts
import { basename } from 'node:path';
import { createProcessManager, ProcessCrashedError, RestartsExhaustedError } from 'mimas';
import type Flaky from '../processes/flaky.process.js';

await using pm = createProcessManager({ isolation: 'child', output: 'capture', restartPolicy: { maxRestarts: 2, backoff: { initial: 50 } } });
pm.on('restart', ({ attempt }) => console.log(`restart ${attempt}`));
const flaky = await pm.spawn<Flaky>(new URL('../processes/flaky.process.ts', import.meta.url));
const failed = (error: unknown) => error as ProcessCrashedError;
const file = flaky.$handle.file;
const before = await flaky.whoami();

const inFlight = flaky.slow(60_000).catch(failed);
const crash = (await flaky.crash('out of luck').catch(failed)) as ProcessCrashedError;
console.log('crash:', crash instanceof ProcessCrashedError, crash.code, 'maybeExecuted', crash.maybeExecuted, 'exit code', crash.exitCode);
console.log('stderr came along:', crash.stderrTail.includes('out of luck'), `(${basename(file)})`);
console.log('the other call:', ((await inFlight) as ProcessCrashedError).code);

// Made while it restarts: the call waits.
const after = await flaky.whoami();
console.log('another process, the same proxy:', after.pid !== before.pid);

// Killed from outside, twice: the second time is one too many for the policy above.
const gaveUp = new Promise((resolve) => flaky.$handle.on('failed', resolve));
for (let i = 0; i < 2; i++) {
  const { pid } = await flaky.whoami();
  process.kill(pid, 'SIGKILL');
  await new Promise<void>((resolve) => flaky.$handle.on('crash', () => resolve()));
}
await gaveUp;
const refused = await flaky.whoami().catch((error: unknown) => error as RestartsExhaustedError);
console.log('given up:', refused instanceof RestartsExhaustedError);
await flaky.$handle.restart();
console.log('restarted by hand:', flaky.$handle.status);
