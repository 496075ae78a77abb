// Direction one: a hostile client against a served process. After each case the link is closed or answers an honest call, the process
// lives, and it answers its owner in time.
import { inspect } from 'node:util';
import type { Case, Mouth } from './cases.js';
import { entriesOf, graph, Kind, liveList, Node, Tag, type UnderWay } from './entries.js';
import { LONGEST_WAIT, SETTLE } from './limits.js';
import { bodyOf, pack } from './raw-bytes.js';
import type { RawPeer } from './raw-peer.js';
import type { Victim } from './victim.js';

export interface Finding { readonly name: string; readonly what: string }

/** Of the victim's methods, in the order of their declaration. */
export const Method = { add: 0, echo: 1, hold: 2, numbers: 3, chunks: 4, bytes: 5, spin: 6, each: 7, taste: 8, drain: 9, keepIt: 10, signal: 11, maker: 12, fail: 13, whenAborted: 14, use: 15, later: 16, single: 17 } as const;

export const FENCE = 99_999;
export const fence = [Kind.CALL, FENCE, Method.add, Tag.INLINE, [20, 22]];

/** What is under way on every hostile link when its case comes. The victim numbers what it lends and calls from 1. */
const PREPARED: UnderWay = { served: 1, awaited: 1, read: 4, produced: 1, signal: 6, lent: 1 };
const PREPARATION = bodyOf(
  pack([
    [Kind.CALL, PREPARED.served, Method.hold, Tag.INLINE, []],
    [Kind.CALL, 2, Method.numbers, Tag.INLINE, [1e12]],
    [Kind.CALL_FULL, 3, Method.taste, ...liveList(['stream', [PREPARED.read]]), undefined],
    [Kind.CALL_FULL, 4, Method.whenAborted, ...liveList(['signal', [PREPARED.signal]]), undefined],
    [Kind.CALL_FULL, 5, Method.each, ...graph([[0], [Node.ARRAY, 3, [1]], [Node.LIVE, 'function', [5, 'each', 1]]]), undefined],
    [Kind.CALL, 6, Method.maker, Tag.INLINE, []],
  ].flat()),
);

export const mouthOf = (peer: RawPeer): Mouth => ({ underWay: PREPARED, body: (body) => void peer.sendBody(body), send: (entries, attachments) => void peer.send(entries, attachments) });

/** Whether the answer to the fence has come; undefined: nothing at all within the time. */
export async function settled(peer: RawPeer, within = SETTLE): Promise<'answered' | 'closed' | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), within)));
  const answered = peer.until(({ entries }) => (entriesOf(entries).some(([kind, id, , sum]) => kind === Kind.RESULT && id === FENCE && sum === 42) ? ('answered' as const) : undefined));
  const outcome = await Promise.race([answered.then((found) => found ?? ('closed' as const)), late]);
  clearTimeout(timer);
  return outcome;
}

/** Answers that nobody without the keys may get. */
const betrayed = (peer: RawPeer): string | undefined => {
  const answers = peer.batches.flatMap(({ entries }) => entriesOf(entries)).filter(([kind, id]) => kind === Kind.RESULT && id !== FENCE);
  const seen = inspect(answers);
  return /loopActive|healthInterval|threadId/.test(seen) ? 'the control surface answered' : undefined;
};

/** Runs one case. `before`: the name of the one before. */
async function runCase(victim: Victim, { name, say, amplifies = false }: Case, before: string, onFinding: (finding: Finding) => void): Promise<void> {
  const found: string[] = [];
  const peer = await victim.reach().catch(async (error: Error) => {
    // The end of the link before has done it: who dies of that dies a little later.
    onFinding({ name: before, what: `THE PROCESS DIED of it: ${victim.lastWords()} (${error.message})` });
    await victim.revive();
    return victim.reach();
  });
  peer.sendBody(PREPARATION);
  if (amplifies) victim.forgetPeak();
  const resident = amplifies ? victim.resident : 0;
  say(mouthOf(peer));
  const [began, starved] = [performance.now(), victim.starved];
  peer.send(fence);
  const outcome = await settled(peer);
  if (outcome === undefined) found.push(`neither answered nor closed within ${SETTLE} ms`);
  const lie = betrayed(peer);
  if (lie) found.push(lie);
  peer.destroy();
  const pulse = await victim.pulse();
  const took = performance.now() - began - (pulse === undefined ? 0 : victim.starved - starved);
  if (pulse === undefined) {
    found.push(`THE PROCESS DIED: ${victim.lastWords()}`);
    await victim.revive();
  } else if (outcome !== undefined && took > LONGEST_WAIT) found.push(`its event loop was held for ${Math.round(took)} ms`);
  if (pulse !== undefined && amplifies && victim.peak - resident > AMPLIFIED) found.push(`it took ${Math.round((victim.peak - resident) / MIB)} MiB`);
  for (const what of found) onFinding({ name, what });
}

const MIB = 1024 * 1024;
/** A single frame of the table, none of which is larger than some megabytes, may take so much. */
const AMPLIFIED = 150 * MIB;

/** The whole table; findings as they come. */
export async function runTable(victim: Victim, cases: readonly Case[], onFinding: (finding: Finding) => void): Promise<void> {
  const before = await victim.vitals();
  const { pid } = victim;
  let last = 'the start';
  for (const [index, one] of cases.entries()) {
    await runCase(victim, one, last, onFinding);
    last = one.name;
    if (index % 100 === 99) {
      for (const what of await victim.complaints()) onFinding({ name: `the hundred cases up to: ${one.name}`, what });
    }
  }
  for (const what of [...(await victim.complaints()), ...(await victim.leftovers())]) onFinding({ name: 'at the end of the table', what });
  const printed = victim.printed();
  if (printed.length > 0) onFinding({ name: 'at the end of the table', what: `it printed: ${printed[0]}` });
  if (pid !== victim.pid) return;
  const after = await victim.vitals();
  if (after.held - before.held > 50 * MIB) onFinding({ name: 'at the end of the table', what: `${Math.round((after.held - before.held) / MIB)} MiB are left` });
}
