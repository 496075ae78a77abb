// Isolation `child`: the host lives in a Node process of its own, in its own process group, reached over an inherited pipe.
import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ProcessStartError } from '../errors.js';
import { withLatency } from '../transport/polled-link.js';
import { StreamLink } from '../transport/stream-link.js';
import { enter, groupFor } from './child-group.js';
import { codeCacheHead } from './code-cache.js';
import { Ending, GROUP_END_MS } from './ending.js';
import { environmentOf } from './environment.js';
import { childFlags } from './flags.js';
import { groupGone } from './group-members.js';
import { guard, unguard } from './guardian.js';
import { watchChild } from './memory-watch.js';
import { Output } from './output.js';
import { onWindows } from './platform.js';
import { signalGroup } from './process-group.js';
import type { Exit, Incarnation, LaunchOptions } from './runtime.js';

const BOOT = fileURLToPath(new URL('../runtime/boot-child.cjs', import.meta.url));
const MIB = 1024 * 1024;
/** The pipe's number in the child, after stdin, stdout and stderr. */
export const CHANNEL_FD = 3;

export async function launchChild(options: LaunchOptions): Promise<Incarnation> {
  const child = start(options);
  if (!child.stdout || !child.stderr) {
    // Node gives one that got no descriptors no streams either, and an error that would end this program if nobody heard it.
    throw refused(options, await new Promise<Error>((resolve) => child.once('error', resolve)));
  }
  const output = new Output(options.onLine, options.inheritOutput ? { stdout: process.stdout, stderr: process.stderr } : {}, options.overflow);
  output.tap(child.stdout, 'stdout');
  output.tap(child.stderr, 'stderr');
  const { pid } = child;
  const made = pid === undefined ? undefined : groupFor(options);
  const group = made && enter(made, pid!, options) ? made : undefined;
  let tooMuch = false;
  const outOfMemory = () => tooMuch || (group?.outOfMemory ?? false);
  const killed: Exit = {
    code: null,
    signal: 'SIGKILL',
    get outOfMemory() {
      return outOfMemory();
    },
  };
  const ending = new Ending({ limit: GROUP_END_MS, killed, why: 'it was sent SIGKILL and hangs in the kernel' });
  void ending.exited.then(() => output.left());
  void exitOf(child, output).then((exit) => ending.end(exit.signal === 'SIGKILL' && outOfMemory() ? { ...exit, outOfMemory: true } : exit));
  if (pid !== undefined) guard(pid);
  const pipe = child.stdio[CHANNEL_FD] as unknown as Duplex;
  const channel = new StreamLink(pipe, { label: `${options.name} (child ${pid ?? '?'})`, trusted: true, maxFrame: options.maxFrame });
  for (const part of await codeCacheHead()) pipe.write(part);
  const link = withLatency(channel, options.latency);
  const kill = () => {
    ending.killed();
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  };
  return {
    isolation: 'child',
    link,
    pid,
    threadId: undefined,
    exited: ending.exited,
    ended: ending.ended,
    abandoned: ending.abandoned,
    lines: () => output.lines(),
    stderrTail: () => output.stderrTail(),
    outputEnded: (limit) => output.ended(limit),
    terminate: (signal = 'SIGTERM') => pid !== undefined && signalGroup(pid, signal),
    kill,
    throttled: () => group?.throttled ?? 0,
    boundMemory(ask) {
      if (pid === undefined || options.maxMemory === undefined) return;
      const end = () => {
        tooMuch = true;
        kill();
      };
      void ending.exited.then(watchChild({ pid, limit: options.maxMemory, ask, end }));
    },
    async gone() {
      await ending.gone();
      if (pid === undefined) return;
      // What the process started in its group and left behind goes with it.
      if (await groupGone(pid, GROUP_END_MS)) unguard(pid);
      else ending.abandon();
      group?.remove();
    },
  };
}

function start(options: LaunchOptions): ChildProcess {
  const heap = options.maxMemory === undefined ? [] : [`--max-old-space-size=${Math.max(8, Math.round(options.maxMemory / MIB))}`];
  try {
    return spawn(process.execPath, [...(options.execArgv ?? childFlags(options.cwd)), ...heap, BOOT, ...(options.argv ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // Where there are no groups, it would only open a window.
      detached: !onWindows(),
      windowsHide: true,
      env: { ...environmentOf(options.env), MIMAS_CHANNEL: JSON.stringify({ maxFrame: options.maxFrame, latency: options.latency, name: options.name, sourceMaps: process.sourceMapsEnabled }) },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } catch (error) {
    throw refused(options, error as Error);
  }
}

const refused = ({ name }: LaunchOptions, cause: Error) =>
  new ProcessStartError(`${name}: ${process.execPath} could not be executed: ${cause.message}`, { file: process.execPath, phase: 'resolve', cause });

function exitOf(child: ChildProcess, output: Output): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error, outOfMemory: false }));
    child.once('exit', (code, signal) => {
      // V8 prints why before it aborts; the text arrives with or just after the exit.
      const aborted = signal === 'SIGABRT' || code === 134;
      const settle = () => resolve({ code, signal, outOfMemory: aborted && /heap out of memory|Reached heap limit/i.test(output.stderrTail()) });
      if (aborted) void output.ended(40).then(settle);
      else settle();
    });
  });
}
