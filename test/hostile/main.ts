// `npm run hostile -- --frames 200000 --transport unix`: the hostile peer suite without a test runner; exits with 1 when it finds something.
// Options: --part table|exhaustion|frames (frames, when --frames is given; else all), --direction served|host (both), --transport name[,name]
// (unix, tcp, ws, tls, wss; a host also pipe, port), --frames n, --within ms (of mutated frames), --seed n, --only text (of a case's name), --nth n (a sample of the table).
import { parseArgs } from 'node:util';
import type { LieName } from './host-program.js';
import { onStage } from './stage.js';
import { carryOut, DIRECTIONS, PARTS } from './suite.js';

const { values: options } = parseArgs({
  options: { part: { type: 'string' }, direction: { type: 'string' }, transport: { type: 'string' }, frames: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' }, nth: { type: 'string' }, within: { type: 'string' } },
});
const parts = PARTS.filter((part) => (options.part ?? (options.frames ? 'frames' : undefined) ?? part) === part);
const directions = DIRECTIONS.filter((direction) => (options.direction ?? direction) === direction);
const transports = (options.transport ?? 'unix').split(',') as LieName[];
const PROGRESS = 20_000;
const owned = (transport: LieName) => transport === 'pipe' || transport === 'port';
let found = 0;

/** Says on stderr how far it is. */
function progress(what: string): (frames: number) => void {
  let next = PROGRESS;
  return (frames) => {
    if (frames < next) return;
    next = frames + PROGRESS;
    console.error(`${what}: ${frames} mutated frames`);
  };
}

await onStage(async (stage) => {
  for (const transport of transports) {
    for (const direction of directions) {
      for (const part of parts) {
        if (direction === 'host' ? part === 'exhaustion' : owned(transport)) continue;
        const began = performance.now();
        const order = { part, direction, transport, only: options.only, nth: Number(options.nth ?? 1), frames: Number(options.frames ?? 200_000), seed: options.seed === undefined ? undefined : Number(options.seed), ...(options.within === undefined ? {} : { within: Number(options.within) }), onSent: progress(`${transport}, ${direction}`) };
        const done = await carryOut(stage, order, ({ name, what }) => {
          found++;
          console.log(`${transport}, ${direction}: ${name}: ${what}`);
        });
        console.log(`${transport}, ${direction}, ${part}: ${done} in ${Math.round(performance.now() - began)} ms`);
      }
    }
  }
});
console.log(found === 0 ? 'nothing found' : `${found} findings`);
process.exitCode = found === 0 ? 0 : 1;
