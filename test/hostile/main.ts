// `npm run hostile`: the hostile peer suite without a test runner.
// Options: --part table|exhaustion|frames, --transport name[,name], --direction served|host, --frames n, --seed n, --only text.
import { parseArgs } from 'node:util';
import { HostProgram, runLies, type LieName } from './against-host.js';
import { runTable, type Finding } from './against-served.js';
import { runAttacks } from './against-served-by-force.js';
import { allCases, sampleOf } from './cases.js';
import { runMutations } from './against-served-by-chance.js';
import { record, type Recorded } from './corpus.js';
import { newSeed } from './random.js';
import { ATTACKS } from './exhaustion.js';
import type { SocketName } from './raw-peer.js';
import { onStage } from './stage.js';
import { Victim } from './victim.js';

const { values: options } = parseArgs({ options: { part: { type: 'string' }, transport: { type: 'string' }, direction: { type: 'string' }, frames: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' }, nth: { type: 'string' } } });
const transports = (options.transport ?? 'unix').split(',') as LieName[];
const cases = allCases();
const numbers = sampleOf(cases, Number(options.nth ?? 1)).filter(({ name }) => !options.only || name.includes(options.only)).map((one) => cases.indexOf(one));
let corpus: Recorded | undefined;
await onStage(async (stage) => {
  for (const transport of transports) {
    const began = performance.now();
    let n = 0;
    const onFinding = ({ name, what }: Finding) => { n++; console.log(`${transport}: ${name}: ${what}`); };
    if (options.direction === 'host') {
      const program = await HostProgram.start(stage, transport, cases);
      await runLies(program, numbers, (index) => cases[index]!.name, onFinding);
      await program.end();
    } else if (options.part === 'exhaustion') {
      const victim = await Victim.start(stage, transport as SocketName);
      for (const attack of ATTACKS.filter(({ name }) => !options.only || name.includes(options.only))) {
        const at = performance.now();
        await runAttacks(victim, [attack], onFinding);
        if (process.env['MIMAS_TIMES']) console.log(`  ${Math.round(performance.now() - at)} ms: ${attack.name}`);
      }
      await victim.end();
    } else if (options.part === 'frames') {
      const victim = await Victim.start(stage, transport as SocketName);
      corpus ??= await record(stage);
      const seed = Number(options.seed ?? newSeed());
      const sent = await runMutations(victim, corpus.calls, { seed, frames: Number(options.frames ?? 200_000) }, onFinding);
      console.log(`${transport}: ${sent} mutated frames, MIMAS_SEED=${seed}`);
      await victim.end();
    } else {
      const victim = await Victim.start(stage, transport as SocketName);
      await runTable(victim, numbers.map((index) => cases[index]!), onFinding);
      await victim.end();
    }
    console.log(`${transport}: ${numbers.length} cases, ${n} findings, ${Math.round(performance.now() - began)} ms`);
  }
});
