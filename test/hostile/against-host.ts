// Direction two: a lying process against an honest program that calls it. After each case every call has settled, by an answer or by an
// error that says what it is; the program lives, and its calls of an honest process are undisturbed.
import type { Finding } from './against-served.js';
import type { Case } from './cases.js';
import type { HostProgram } from './host-program.js';
import { LONGEST_WAIT, PEAK } from './limits.js';
import { forgetPeak, peakOf, residentOf } from './processes.js';
import { leftBehind } from './victim.js';

const MIB = 1024 * 1024;
/** As for a served process: a single frame of the table may take so much. */
const AMPLIFIED = 150 * MIB;
/** Errors that the liar itself said, in these cases, are values like others. */
const SAYS_ERRORS = /^(?:ERROR|FAIL)\b|, as (?:an error|a failure)$|ABORT|CANCEL|FAIL|answers? to/;

async function runCase(program: HostProgram, index: number, { name, amplifies = false, heavy = false }: Case): Promise<Finding[]> {
  const measured = amplifies || heavy;
  if (measured) forgetPeak(program.pid);
  const before = measured ? residentOf(program.pid) : 0;
  const began = performance.now();
  const outcomes = await program.visit(index);
  const took = performance.now() - began;
  if (!outcomes) {
    const what = `THE PROGRAM DIED: ${program.lastWords()}`;
    await program.revive();
    return [{ name, what }];
  }
  const found = Object.entries(outcomes).filter(([, outcome]) => outcome === 'UNSETTLED' || (outcome.startsWith('without a code') && !SAYS_ERRORS.test(name))).map(([call, outcome]) => `${call}(): ${outcome}`);
  // A liar of the program's own may have had to be started again, and a gigabyte takes its time on the way: the honest calls tell whether anybody had to wait.
  if (found.length === 0 && !program.owned && !heavy && took - program.spent > LONGEST_WAIT) found.push(`its event loop was held for ${Math.round(took - program.spent)} ms`);
  if (measured && peakOf(program.pid) - before > (heavy ? PEAK : AMPLIFIED)) found.push(`it took ${Math.round((peakOf(program.pid) - before) / MIB)} MiB`);
  return found.map((what) => ({ name, what }));
}

/** The cases of the given numbers; findings as they come. */
export async function runLies(program: HostProgram, cases: readonly Case[], numbers: readonly number[], onFinding: (finding: Finding) => void): Promise<void> {
  const say = (name: string, whats: readonly string[]) => whats.forEach((what) => onFinding({ name, what }));
  // Who is not believed at all can do no harm, and shows nothing.
  const plain = await program.visit(-1);
  if (plain?.['fence'] !== 'ok') say('a liar that does not lie', [`its session did not begin: ${JSON.stringify(plain)}`]);
  const held = await program.held();
  const before = program.facts();
  const { pid } = program;
  for (const [count, index] of numbers.entries()) {
    for (const finding of await runCase(program, index, cases[index]!)) onFinding(finding);
    if (count % 100 === 99) say(`the hundred cases up to: ${cases[index]!.name}`, await program.complaints());
  }
  say('at the end of the lies', await program.complaints());
  if (program.printed().length > 0) say('at the end of the lies', [`it printed: ${program.printed()[0]}`]);
  if (pid !== program.pid) return;
  say('at the end of the lies', leftBehind(before, await program.settledFacts(before)));
  const left = (await program.held()) - held;
  if (left > 50 * MIB) say('at the end of the lies', [`${Math.round(left / MIB)} MiB are left`]);
}
