// Isolation `none`: the host lives in this very thread. For tests: nothing can be killed from outside, and a crash of the
// process code is a crash of the program.
import { threadId } from 'node:worker_threads';
import { memoryLinks } from '../transport/memory.js';
import { hostHere } from './home.js';
import type { Exit, Incarnation, LaunchOptions } from './runtime.js';

export async function launchInline(options: LaunchOptions): Promise<Incarnation> {
  const [owner, inside] = memoryLinks(`${options.name} (in process)`);
  let exit!: (exit: Exit) => void;
  const exited = new Promise<Exit>((resolve) => (exit = resolve));
  const Host = hostHere();
  const leave = (how: Exit) => {
    exit(how);
    void host.vanish();
  };
  const host = new Host(inside, options.maxFrame, () => leave({ code: 0, signal: null, outOfMemory: false }));
  return {
    isolation: 'none',
    link: owner,
    pid: process.pid,
    threadId,
    exited,
    ended: exited.then(() => host.vanish()),
    lines: () => [],
    stderrTail: () => '',
    outputEnded: () => Promise.resolve(),
    terminate: () => false,
    kill() {
      owner.close();
      leave({ code: null, signal: 'SIGKILL', outOfMemory: false });
    },
    gone: () => exited.then(() => host.vanish()),
  };
}
