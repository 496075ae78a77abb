// Giving up on a call: the method sees its AbortSignal; a process whose event loop is stuck is killed and comes back.
// Run it:  npm run build && node --import mimas/register examples/cancel-and-timeout.ts
import { CallTimeoutError, createProcessManager } from 'mimas';
import type Flaky from '../processes/flaky.process.js';

await using pm = createProcessManager({ stuckTimeout: '300ms', output: 'capture', restartPolicy: { backoff: { initial: 50 } } });
const flaky = await pm.spawn<Flaky>(new URL('../processes/flaky.process.ts', import.meta.url));
const failed = (error: unknown) => error as Error;

// The call rejects with the signal's own reason, as fetch does; the timer in the process is cleared.
const error = await flaky.$with({ signal: AbortSignal.timeout(50) }).slow(60_000).catch(failed);
console.log('cancelled:', (error as Error).name);

const late = await flaky.$with({ timeout: '50ms' }).slow(60_000).catch(failed);
console.log('timed out:', late instanceof CallTimeoutError, (late as CallTimeoutError).code);
console.log('restarts:', flaky.$handle.restarts);

// `while (true)`: no signal gets through. Only this process is killed; the proxy works again when it is back.
const before = await flaky.whoami();
await flaky.$with({ timeout: '50ms' }).hang().catch(failed);
const crashed = new Promise((resolve) => flaky.$handle.on('ready', resolve));
await crashed;
const after = await flaky.whoami();
console.log('stuck, killed, back in another thread:', after.threadId !== before.threadId);
