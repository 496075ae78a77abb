// A Mimas process file as the program of a container: started, asked how it is, stopped with its hooks. Nothing else runs there.
// `node process-host.js run <file> <startup ms> [args]` and, beside it in the same container, `node process-host.js health`.
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A container has one. */
const SOCKET = join(tmpdir(), 'mimas-process-host.sock');
/** The orchestrator's SIGKILL comes when the component's own grace is over. */
const PATIENCE = 2 ** 31 - 1;

const [action, file = '', startupTimeout = '30000', ...argv] = process.argv.slice(2);
if (action === 'health') await askHealth();
else await host();

async function host(): Promise<void> {
  // Here, because who only asks for health does so every few seconds and needs nothing of it.
  const { createProcessManager } = await import('../manager/process-manager.js');
  const { illness } = await import('./mimas-process.js');
  const pm = createProcessManager({ name: 'mimas pipeline', isolation: 'child', output: 'capture' });
  pm.on('log', ({ line, stream }) => void process[stream].write(`${line}\n`));
  const stopped = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const) process.once(signal, () => stopped.abort());
  try {
    const unit = await pm.spawnUnit(file, { argv, startupTimeout: Number(startupTimeout), restartPolicy: { enabled: false } }, stopped.signal);
    rmSync(SOCKET, { force: true });
    createServer((socket) => {
      socket.on('error', () => {});
      void unit.health().then((status) => socket.end(illness(status) ?? ''), (error: Error) => socket.end(error.message));
    }).listen(SOCKET);
    unit.on('crash', ({ error, exitCode }) => {
      console.error(error.message.split('\n')[0]);
      process.exit(exitCode === null || exitCode === 0 ? 1 : exitCode);
    });
    unit.on('stop', () => process.exit(0));
    const stop = () => void unit.stop({ timeout: PATIENCE, reason: 'signal' });
    if (stopped.signal.aborted) stop();
    else stopped.signal.addEventListener('abort', stop, { once: true });
  } catch (error) {
    if (stopped.signal.aborted) process.exit(0);
    console.error((error as Error).message);
    process.exit(1);
  }
}

/** Prints why it is not well. */
async function askHealth(): Promise<void> {
  try {
    const why = await text(connect(SOCKET));
    if (why === '') return;
    console.log(why);
  } catch (error) {
    console.log(`it does not answer: ${(error as Error).message}`);
  }
  process.exitCode = 1;
}
