// Mutated frames against a served process. Each connection has a seed of its own, by which it can be had again.
import { fence, settled, type Finding } from './against-served.js';
import type { Corpus } from './corpus.js';
import { PATIENCE, SETTLE } from './limits.js';
import { MutatedSession } from './mutate.js';
import { chanceOf } from './random.js';
import type { Victim } from './victim.js';

/** Frames of one connection, if it lives so long. */
const AT_MOST = 150;
/** Of ten connections so many break no rule that would end them at once; they say most of all frames. */
const GENTLE = 1;
/** How often the honest caller is asked, ms. */
const COMPLAINTS_MS = 500;
/** Connections at once. */
const LANES = 4;

export interface Span {
  readonly seed: number;
  /** Ends when so many mutated frames were sent … */
  readonly frames: number;
  /** … or after this time, ms. */
  readonly within?: number;
  /** Told now and then how many were sent. */
  readonly onSent?: (frames: number) => void;
}

/** How many mutated frames were sent. */
export async function runMutations(victim: Victim, corpus: Corpus, { seed, frames, within = Infinity, onSent }: Span, onFinding: (finding: Finding) => void): Promise<number> {
  const end = performance.now() + within;
  const before = await victim.vitals();
  let next = seed;
  let sent = 0;
  let reviving: Promise<void> | undefined;
  const underWay = new Set<number>();
  const lane = async () => {
    while (sent < frames && performance.now() < end) {
      await reviving;
      const own = next++;
      underWay.add(own);
      const outcome = await connection(victim, corpus, own, (count) => (sent += count));
      underWay.delete(own);
      onSent?.(sent);
      if (outcome && !reviving) {
        const alive = await victim.pulse();
        onFinding({ name: `mutated frames, MIMAS_SEED=${own} (or one of the ${LANES} before it)`, what: alive === undefined ? `THE PROCESS DIED: ${victim.lastWords()}` : outcome });
        if (alive === undefined && !reviving) await (reviving = victim.revive().finally(() => (reviving = undefined)));
      }
    }
  };
  const lanes = Promise.all(Array.from({ length: frames === 1 ? 1 : LANES }, lane)).then(() => 'over');
  const complain = async () => {
    const seeds = [...underWay].join(', ');
    for (const what of await victim.complaints()) onFinding({ name: `mutated frames, MIMAS_SEED=${seeds} or those before them`, what });
  };
  while ((await Promise.race([lanes, lapse(COMPLAINTS_MS)])) !== 'over') await complain();
  const say = (what: string) => onFinding({ name: `mutated frames, MIMAS_SEED=${seed}, at the end`, what });
  if ((await victim.pulse()) === undefined) {
    say(`THE PROCESS DIED: ${victim.lastWords()}`);
    await victim.revive();
    return sent;
  }
  for (const what of [...(await victim.complaints()), ...(await victim.leftovers())]) say(what);
  if (victim.printed().length > 0) say(`it printed: ${victim.printed()[0]}`);
  const left = ((await victim.vitals()).held - before.held) / 2 ** 20;
  if (left > 50) say(`${Math.round(left)} MiB are left`);
  return sent;
}

/** What is wrong with how it went, if anything. */
async function connection(victim: Victim, corpus: Corpus, seed: number, onSent: (count: number) => void): Promise<string | undefined> {
  const chance = chanceOf(seed);
  const session = new MutatedSession(chance, corpus, GENTLE);
  // Some leave in the middle of it, with all that is under way.
  const leavesAfter = chance.below(4) === 0 ? 1 + chance.below(40) : AT_MOST;
  let peer;
  try {
    peer = await victim.reach();
  } catch (error) {
    return `nobody could connect: ${(error as Error).message}`;
  }
  peer.onBatch(({ entries }) => session.grammar.hear(entries));
  for (let i = 0; i < leavesAfter && !peer.closed; i++) {
    const { body, changed } = session.next();
    peer.sendBody(body);
    if (changed) onSent(1);
    if (i % 4 === 3) {
      // Who lies to it that much may be held back for a while: then it leaves.
      if (!(await within(peer.drained(), PATIENCE))) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (leavesAfter < AT_MOST || peer.heldBack) {
    peer.destroy();
    return undefined;
  }
  peer.send(fence);
  const outcome = await settled(peer);
  peer.destroy();
  return outcome === undefined ? `neither answered nor closed within ${SETTLE} ms` : undefined;
}

const lapse = (ms: number) => new Promise<'time'>((resolve) => setTimeout(resolve, ms, 'time'));

async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, ms, false)));
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
