// The one way down for a process: drain, shutdown hooks, a polite signal, then force. Each step has its own deadline within
// the grace; "stopped" is only said when nothing is left, grandchildren in the process group included.
import { LinkClosedError } from '../errors.js';
import { callControl, type RunningProcess } from './start.js';
import { within } from './within.js';

export interface StopSteps {
  readonly reason: string;
  readonly signal?: string | undefined;
  /** All steps together, ms; 0 kills at once. */
  readonly grace: number;
  /** Cuts the grace short: kill now. */
  readonly hurry: AbortSignal;
  /** Resolves when the caller's side has nothing in flight. */
  idle(): Promise<void>;
  /** A hook threw or was not done in time. */
  onHookFailed(message: string): void;
}

// Shares of the grace. What a step does not use, the next ones have.
const DRAIN_SHARE = 0.5;
const HOOKS_SHARE = 0.8;
/** The host bounds its hooks itself, and needs some time to say which one was late. */
const ANSWER_SHARE = 0.85;
const EXIT_SHARE = 0.9;

export async function stopProcess({ incarnation, control, calls }: RunningProcess, steps: StopSteps): Promise<void> {
  const started = performance.now();
  const until = (share: number) => Math.max(0, steps.grace * share - (performance.now() - started));
  const hurried = new Promise<void>((resolve) => {
    if (steps.hurry.aborted) resolve();
    else steps.hurry.addEventListener('abort', () => resolve(), { once: true });
  });
  let gone = false;
  const exited = incarnation.exited.then(() => void (gone = true));
  const step = async (work: Promise<unknown>, share: number) => {
    if (!gone && !steps.hurry.aborted && until(share) > 0) await within(Promise.race([work, hurried, exited]), until(share));
  };
  await step(steps.idle(), DRAIN_SHARE);
  if (!gone && !steps.hurry.aborted && until(HOOKS_SHARE) > 0) {
    const order = { reason: steps.reason, signal: steps.signal, drain: until(DRAIN_SHARE), hooks: until(HOOKS_SHARE) };
    let answered = false;
    const stopped = callControl(control, 'stop', order).then(
      ({ failed }) => {
        answered = true;
        failed.forEach((message) => steps.onHookFailed(message));
      },
      () => {},
    );
    await step(stopped, ANSWER_SHARE);
    if (!answered && !gone && !steps.hurry.aborted) steps.onHookFailed(`its event loop did not answer for ${Math.round(performance.now() - started)} ms`);
    if (calls !== control) calls.close();
    // The host leaves when its owner hangs up after a stop.
    control.close();
    await step(exited, EXIT_SHARE);
  }
  if (!gone && until(1) > 0 && !steps.hurry.aborted && incarnation.terminate('SIGTERM')) await step(exited, 1);
  if (!gone) incarnation.kill();
  await incarnation.gone();
  // This side's end of it, too: nothing is left open when "stopped" is said.
  if (calls !== control && !calls.closed) calls.close(new LinkClosedError('the process has ended'));
}
