// Runs the attacks that want to use up a served process: the honest caller beside them must not wait long, memory stays bounded while
// they last, and what they took comes back when their link has ended.
import { fence, settled, type Finding } from './against-served.js';
import { entriesOf, Kind } from './entries.js';
import type { Attack } from './exhaustion.js';
import { LEFT, PEAK } from './limits.js';
import type { RawPeer } from './raw-peer.js';
import type { Victim } from './victim.js';

const MIB = 1024 * 1024;

export async function runAttacks(victim: Victim, attacks: readonly Attack[], onFinding: (finding: Finding) => void): Promise<void> {
  let base = await victim.vitals();
  let start = victim.resident;
  const renew = async () => {
    await victim.revive();
    base = await victim.vitals();
    start = victim.resident;
  };
  for (const attack of attacks) {
    // The measure of memory needs a floor: what a former attack left in the allocator would hide a new one.
    if (victim.resident - start > PEAK / 3) await renew();
    const say = (...whats: readonly string[]) => whats.forEach((what) => onFinding({ name: attack.name, what }));
    await victim.complaints();
    victim.forgetPeak();
    const before = victim.resident;
    const peer = await victim.reach();
    const answers = countAnswers(peer, attack.answers);
    await attack.run(peer);
    if (!peer.closed && !peer.socket.isPaused()) peer.send(fence);
    await Promise.race([peer.ended, peer.drained(), lapse(TAKEN)]);
    // Who stays sees what comes of it; others wait until it was read.
    const over = attack.stay === undefined ? settled(peer, TAKEN) : lapse(attack.stay);
    await Promise.race([peer.ended, answers, over]);
    if ((await victim.pulse()) === undefined) {
      say(`THE PROCESS DIED: ${victim.lastWords()}`);
      peer.destroy();
      await renew();
      continue;
    }
    const peak = victim.peak - before;
    if (peak > PEAK) say(`it took ${Math.round(peak / MIB)} MiB`);
    peer.destroy();
    const wrong = await attack.after?.(victim);
    if (wrong) say(wrong);
    if ((await victim.pulse()) === undefined) {
      say(`THE PROCESS DIED after the link: ${victim.lastWords()}`);
      await renew();
      continue;
    }
    say(...(await victim.complaints()));
    const left = await leftOf(victim, base.held);
    if (left > LEFT) {
      say(`${Math.round(left / MIB)} MiB are left when the link has ended`);
      await renew();
    }
    say(...(await victim.leftovers()));
  }
  if (victim.printed().length > 0) onFinding({ name: 'at the end of the attacks', what: `it printed: ${victim.printed()[0]}` });
}

/** Longest that the victim may take to read what was sent, ms. */
const TAKEN = 10_000;
const lapse = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What it holds more than before; waits for finalizers, which take their time. */
async function leftOf(victim: Victim, before: number): Promise<number> {
  let left = Infinity;
  for (let attempt = 0; attempt < 10 && left > LEFT; attempt++) left = (await victim.vitals()).held - before;
  return left;
}

function countAnswers(peer: RawPeer, wanted: number | undefined): Promise<void> {
  if (wanted === undefined) return new Promise(() => {});
  let count = 0;
  return new Promise((resolve) => {
    peer.onBatch(({ entries }) => {
      for (const [kind] of entriesOf(entries)) if (kind === Kind.RESULT || kind === Kind.RESULT_FULL || kind === Kind.ERROR || kind === Kind.REFUSED) count++;
      if (count >= wanted) resolve();
    });
  });
}
