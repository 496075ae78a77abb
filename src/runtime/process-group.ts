// Signals to whole process groups. Invariant: never to a pid ≤ 1, which would reach this program's own group or everything.

const POLL_MS = 10;

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

/** Ends what is left of a group whose leader is gone; resolves when it is empty. */
export async function groupGone(pid: number): Promise<void> {
  if (process.platform === 'win32') return;
  // No event tells that a group is empty; a leader that left nobody behind is through at once.
  while (signalGroup(pid, 'SIGKILL')) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
