// Mutated answers against a program that calls. Each visit has a seed of its own, by which it can be had again.
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { serialize } from 'node:v8';
import type { Span } from './against-served-by-chance.js';
import type { Finding } from './against-served.js';
import type { Corpus } from './corpus.js';
import type { HostProgram } from './host-program.js';
import { tallyOf } from './rich-liar.js';
import { leftBehind } from './victim.js';

/** Processes of the program's own that lie at once: to start one and to be patient with it takes most of the time. */
const LANES = 6;

/** How many mutated frames were said. */
export async function runMutatedLies(program: HostProgram, answers: Corpus, file: string, { seed, frames, within = Infinity, onSent }: Span, onFinding: (finding: Finding) => void): Promise<number> {
  writeFileSync(file, serialize(answers));
  const end = performance.now() + within;
  const held = await program.held();
  const { pid } = program;
  const before = program.facts();
  let own = seed;
  let reviving: Promise<void> | undefined;
  // A process of the program's own keeps a tally beside its answers, one byte a frame.
  rmSync(tallyOf(file), { force: true });
  const said = () => program.said + (statSync(tallyOf(file), { throwIfNoEntry: false })?.size ?? 0);
  const visits = async () => {
    while (said() < frames && performance.now() < end) {
      onSent?.(said());
      await reviving;
      const name = `mutated answers, MIMAS_SEED=${own}`;
      const outcomes = await program.visitRich(answers, file, own++);
      for (const [call, outcome] of Object.entries(outcomes ?? {})) if (outcome === 'UNSETTLED') onFinding({ name, what: `${call}() never settled` });
      if (!outcomes && !reviving) {
        onFinding({ name: `${name} (or one beside it)`, what: `THE PROGRAM DIED: ${program.lastWords()}` });
        await (reviving = program.revive().finally(() => (reviving = undefined)));
      }
    }
  };
  await Promise.all(Array.from({ length: program.owned ? LANES : 1 }, visits));
  const say = (what: string) => onFinding({ name: `mutated answers, MIMAS_SEED=${seed}, at the end`, what });
  for (const what of await program.complaints()) say(what);
  if (program.printed().length > 0) say(`it printed: ${program.printed()[0]}`);
  if (pid !== program.pid) return said();
  const left = ((await program.held()) - held) / 2 ** 20;
  if (left > 50) say(`${Math.round(left)} MiB are left`);
  leftBehind(before, await program.settledFacts(before)).forEach(say);
  return said();
}
