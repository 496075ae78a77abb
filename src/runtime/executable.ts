// Any executable as a supervised thing: started without a shell in a process group of its own, its output read line by line.
// Invariant: it is called stopped only when nobody living is left in its group, and no signal ever goes to a pid ≤ 1 or to a
// group that has been seen empty (the number may be another's by then).
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { ProcessStartError } from '../errors.js';
import { deadline } from './deadline.js';
import { environmentOf } from './environment.js';
import { GROUP_END_MS } from './ending.js';
import { groupEmptied } from './group-members.js';
import { guard, unguard } from './guardian.js';
import { Output, type LineListener, type OutputStream } from './output.js';
import { OWN_FILE } from './own-folder.js';
import { onWindows } from './platform.js';
import { signalGroup } from './process-group.js';
import { within } from './within.js';

/** Output that explains a death may arrive just after it, ms. */
const OUTPUT_GRACE_MS = 50;

export interface ExecutableOptions {
  /** For messages. */
  readonly name: string;
  /** A path, or a name to be looked up in PATH. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Variables over this program's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** End it should this program vanish (default true). */
  readonly guard?: boolean | undefined;
  /** Hears each line of stdout and stderr. */
  readonly onLine?: LineListener | undefined;
  /** Raw output goes here as well. */
  readonly passOn?: Partial<Record<OutputStream, NodeJS.WritableStream>> | undefined;
  /** Appends all output to this file instead of reading it: then the output outlives this program, and there are no lines. */
  readonly outputFile?: string | undefined;
}

export interface ExecutableExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StopOptions {
  /** Time to end by itself, ms; 0 kills at once. */
  readonly grace: number;
  /** Cuts the grace short: kill now. */
  readonly hurry?: AbortSignal | undefined;
  /** The polite signal. Default SIGTERM. */
  readonly signal?: NodeJS.Signals | undefined;
}

export class Executable {
  /** Resolves when the leader of the group has ended. Never rejects. */
  readonly exited: Promise<ExecutableExit>;
  readonly startedAt = new Date();
  readonly pid: number;
  readonly #output: Output;
  #exit: ExecutableExit | undefined;
  #gone = false;
  readonly #guarded: boolean;

  private constructor(child: ChildProcess, output: Output, guarded: boolean) {
    this.pid = child.pid!;
    this.#output = output;
    this.#guarded = guarded;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        output.left();
        resolve(this.#exit);
      });
    });
  }

  /** @throws ProcessStartError (phase `resolve`) when it cannot be executed */
  static async start(options: ExecutableOptions): Promise<Executable> {
    const { name, command, args = [], cwd, outputFile } = options;
    if (cwd !== undefined && !isFolder(cwd)) throw failed(options, new Error(`its working directory ${cwd} is not a folder`));
    const output = new Output(options.onLine ?? (() => {}), options.passOn);
    const file = outputFile === undefined ? undefined : openSync(outputFile, 'a', OWN_FILE);
    let child: ChildProcess;
    try {
      child = spawn(command, args, {
        stdio: ['ignore', file ?? 'pipe', file ?? 'pipe'],
        // Where there are no groups, it would only open a window.
        detached: !onWindows(),
        windowsHide: true,
        env: environmentOf(options.env),
        ...(cwd !== undefined && { cwd }),
      });
    } catch (error) {
      throw failed(options, error as Error);
    } finally {
      if (file !== undefined) closeSync(file);
    }
    if (child.pid === undefined) throw failed(options, await new Promise<Error>((resolve) => child.once('error', resolve)));
    // Later errors are those of signals; they are told by the signal functions.
    child.on('error', () => {});
    const guarded = options.guard ?? true;
    if (guarded) guard(child.pid);
    if (child.stdout) output.tap(child.stdout, 'stdout');
    if (child.stderr) output.tap(child.stderr, 'stderr');
    if (child.pid <= 1) throw failed({ name, command }, new Error(`the system gave it the pid ${child.pid}`));
    return new Executable(child, output, guarded);
  }

  /** How the leader ended; undefined while it runs. */
  get exit(): ExecutableExit | undefined {
    return this.#exit;
  }

  /** The last lines that it printed. */
  lines(): readonly string[] {
    return this.#output.lines();
  }

  stderrTail(): string {
    return this.#output.stderrTail();
  }

  /** Resolves when the last output has arrived, at the latest after `limit` ms. */
  outputEnded(limit: number): Promise<void> {
    return this.#output.ended(limit);
  }

  /** To the whole group. True when there was somebody to receive it. */
  signal(signal: NodeJS.Signals | 0): boolean {
    return !this.#gone && signalGroup(this.pid, signal);
  }

  /** SIGTERM, the grace, SIGKILL, all to the whole group; resolves when nobody of it is left. */
  async stop({ grace, hurry, signal = 'SIGTERM' }: StopOptions): Promise<void> {
    if (!this.#gone && grace > 0 && !hurry?.aborted) {
      this.signal(signal);
      const over = deadline(grace, hurry);
      const emptied = await groupEmptied(this.pid, over.signal);
      over.done();
      if (emptied) return this.#settle();
    }
    await this.kill();
  }

  /** SIGKILL until nobody is left in the group; what hangs in the kernel is left to the guardian, with a warning. */
  async kill(): Promise<void> {
    const over = deadline(GROUP_END_MS);
    const emptied = this.#gone || (await groupEmptied(this.pid, over.signal, () => void this.signal('SIGKILL')));
    over.done();
    if (!emptied) {
      process.emitWarning(`the process group ${this.pid} hangs in the kernel: it has not ended ${GROUP_END_MS} ms after SIGKILL`, 'MimasWarning');
      return;
    }
    await this.#settle();
  }

  /** Resolves when the leader has ended and nobody of its group is left; whom it left behind is killed. */
  async gone(): Promise<void> {
    await this.exited;
    await this.kill();
  }

  async #settle(): Promise<void> {
    if (!this.#gone && this.#guarded) unguard(this.pid);
    this.#gone = true;
    // The system has still to tell of the end of a leader that nobody sees any more.
    await within(this.exited, GROUP_END_MS);
    await this.outputEnded(OUTPUT_GRACE_MS);
  }
}

/** `exit code 1` or `SIGKILL`. */
export const describeExit = ({ code, signal }: ExecutableExit): string => signal ?? `exit code ${code}`;

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const failed = ({ name, command }: { name: string; command: string }, cause: Error) =>
  new ProcessStartError(`${name}: ${command} could not be executed: ${cause.message}`, { file: command, phase: 'resolve', cause });
