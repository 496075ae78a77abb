// Who is left in a process group. The dead that nobody has reaped yet (zombies) answer to signals, but are nobody.
import { deadline } from './deadline.js';
import { isLiving, processFacts, processIds } from './process-facts.js';
import { signalGroup } from './process-group.js';

const POLL_MS = 10;
/** Zombies are rare, and looking for them costs a read a process of the machine: not before so many polls. */
const POLLS_BEFORE_LOOKING = 5;

/** The living of the group; undefined where there is no `/proc` to look at. */
export function livingMembers(group: number): number[] | undefined {
  const facts = processIds()?.map(processFacts) ?? [];
  if (facts.every((one) => one === undefined)) return undefined;
  return facts.flatMap((one) => (one && one.group === group && isLiving(one) ? [one.pid] : []));
}

/** Resolves with true when nobody living is left in the group, with false when `stop` aborts first. `onPoll` runs before each look. */
export async function groupEmptied(group: number, stop: AbortSignal | undefined, onPoll: () => void = () => {}): Promise<boolean> {
  for (let polls = 0; ; polls++) {
    onPoll();
    if (!signalGroup(group, 0)) return true;
    if (polls >= POLLS_BEFORE_LOOKING && polls % POLLS_BEFORE_LOOKING === 0 && livingMembers(group)?.length === 0) return true;
    if (stop?.aborted) return false;
    await pause(POLL_MS, stop);
  }
}

/** Ends what is left of a group whose leader is gone, or is to go. True when nobody living is left in it; false when somebody is after `limit` ms. */
export async function groupGone(group: number, limit: number): Promise<boolean> {
  // Windows has no process groups.
  if (process.platform === 'win32') return true;
  const over = deadline(limit);
  const emptied = await groupEmptied(group, over.signal, () => void signalGroup(group, 'SIGKILL'));
  over.done();
  return emptied;
}

function pause(ms: number, stop: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop?.addEventListener('abort', done, { once: true });
  });
}
