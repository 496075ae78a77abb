// Keeps a supervised process in the foreground until it ends for good or somebody asks it to: first gracefully, then at once.
import type { ProcessManager } from '../manager/process-manager.js';
import { RestartsExhaustedError } from '../errors.js';
import { fitForTerminal } from '../printable.js';
import { labelOf as fileLabel } from '../runtime/process-file.js';
import type { ProcessHandle } from '../types.js';
import { EXIT, SIGNAL_BASE, STOP_SIGNALS, type StopSignal } from './exit-codes.js';
import { event, note, onHangUp } from './output.js';

/** What its lines are prefixed with: its name, or that of its file. */
export const labelOf = (file: string, name: string | undefined): string => name ?? fileLabel(file);

/** Tells what happens: lines of the process, crashes, restarts. Lines go where `lines` says. */
export function narrate(pm: ProcessManager, label: string, json: boolean | undefined, lines: 'stdout' | 'stderr'): void {
  pm.on('log', ({ stream, line }) => {
    if (json) (lines === 'stdout' ? event : noteEvent)('log', { stream, line });
    else {
      const out = lines === 'stderr' || stream === 'stderr' ? process.stderr : process.stdout;
      out.write(`${label} | ${fitForTerminal(line, { colour: out.isTTY && !process.env['NO_COLOR'] })}\n`);
    }
  });
  let down = false;
  pm.on('crash', ({ error, exitCode, signal }) => {
    down = true;
    if (json) event('crash', { message: error.message.split('\n')[0], exitCode, signal });
    else note(`${label}: ${error.message.split('\n')[0]}`);
  });
  pm.on('restart', ({ attempt, delay }) => {
    if (json) event('restart', { attempt, delay: Math.round(delay) });
    else note(`${label}: restart ${attempt} in ${Math.round(delay)} ms`);
  });
  pm.on('ready', ({ id }) => {
    if (!down) return;
    down = false;
    if (json) event('restarted', { pid: pm.getProcess(id)?.pid });
    else note(`${label}: runs again`);
  });
}

const noteEvent = (name: string, detail: object): void => note(JSON.stringify({ event: name, ...detail }));

/** Resolves with the exit code. */
export function untilDone(pm: ProcessManager, handle: ProcessHandle, label: string, json: boolean | undefined): Promise<number> {
  return new Promise((resolve) => {
    let lastExit: number | null = null;
    let asked = false;
    const finish = (code: number) => {
      for (const signal of Object.keys(STOP_SIGNALS)) process.off(signal, onSignal);
      void pm.shutdown().then(
        () => resolve(code),
        (error: Error) => {
          note(`${label}: ${error.message}`);
          resolve(EXIT.failed);
        },
      );
    };
    const onSignal = (signal: StopSignal) => {
      if (asked) {
        void handle.kill().finally(() => process.exit(SIGNAL_BASE + STOP_SIGNALS[signal]));
        return;
      }
      asked = true;
      if (json) event('stopping', { signal });
      else note(`${label}: stopping; once more to kill it`);
      void handle.stop({ reason: 'signal' }).finally(() => finish(EXIT.done));
    };
    for (const signal of Object.keys(STOP_SIGNALS)) process.on(signal, onSignal);
    onHangUp(() => asked || onSignal('SIGTERM'));
    handle.on('crash', ({ exitCode, signal }) => (lastExit = signal ? null : exitCode));
    handle.on('status', ({ to }) => {
      if (asked || (to !== 'failed' && to !== 'stopped')) return;
      const code = lastExit === 0 ? EXIT.done : EXIT.exhausted;
      if (json) event('ended', { exitCode: lastExit });
      else if (code === EXIT.exhausted) note(`${label}: gave up (${new RestartsExhaustedError('').code})`);
      finish(code);
    });
  });
}
