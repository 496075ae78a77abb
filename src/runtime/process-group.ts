// Signals to whole process groups. Invariant: never to a pid ≤ 1, which would reach this program's own group or everything.

/** True when there was somebody to receive it. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    // Windows has no process groups.
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
