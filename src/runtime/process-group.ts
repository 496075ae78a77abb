// Signals to whole process groups; on Windows, which has none, to one process, and the end to all that it started.
// Invariant: never to a pid ≤ 1, which would reach this program's own group or everything.
import { spawnSync } from 'node:child_process';
import { onWindows } from './platform.js';

/** True when there was somebody to receive it. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    if (!onWindows()) process.kill(-pid, signal);
    else if (signal === 'SIGKILL') return killTree(pid);
    else process.kill(pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const killTree = (pid: number): boolean => spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore', windowsHide: true }).status === 0;
