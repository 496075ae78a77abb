// The parts of the suite, as the command and the tests order them.
import { join } from 'node:path';
import { runMutatedLies } from './against-host-by-chance.js';
import { runLies } from './against-host.js';
import { runMutations } from './against-served-by-chance.js';
import { runAttacks } from './against-served-by-force.js';
import { runTable, type Finding } from './against-served.js';
import { allCases, sampleOf } from './cases.js';
import { record, type Recorded } from './corpus.js';
import { ATTACKS } from './exhaustion.js';
import { HostProgram, type LieName } from './host-program.js';
import { newSeed } from './random.js';
import type { SocketName } from './raw-peer.js';
import { Victim, type Stage } from './victim.js';

export const PARTS = ['table', 'exhaustion', 'frames'] as const;
export const DIRECTIONS = ['served', 'host'] as const;

export interface Order {
  readonly part: (typeof PARTS)[number];
  /** Who is attacked. */
  readonly direction: (typeof DIRECTIONS)[number];
  readonly transport: LieName;
  /** Of the table: each nth of the slots' cases only. */
  readonly nth?: number;
  /** Cases and attacks whose name contains this. */
  readonly only?: string | undefined;
  readonly frames?: number;
  readonly seed?: number | undefined;
  /** Longest time for mutated frames, ms. */
  readonly within?: number;
  /** Told now and then how many mutated frames were sent. */
  readonly onSent?: (frames: number) => void;
}

const recordings = new WeakMap<Stage, Promise<Recorded>>();
const recordingOf = (stage: Stage): Promise<Recorded> => recordings.get(stage) ?? recordings.set(stage, record(stage)).get(stage)!;

const waitOf = ({ longestWall }: { readonly longestWall: number }) => `longest wait of the honest caller ${Math.round(longestWall)} ms`;

/** Carries an order out; resolves with what was done, in words. */
export async function carryOut(stage: Stage, order: Order, onFinding: (finding: Finding) => void): Promise<string> {
  const { part, direction, transport, only = '' } = order;
  const cases = allCases();
  const span = { seed: order.seed ?? newSeed(), frames: order.frames ?? 200_000, ...(order.within === undefined ? {} : { within: order.within }), ...(order.onSent ? { onSent: order.onSent } : {}) };
  if (direction === 'host') {
    if (part === 'exhaustion') throw new Error('exhaustion is for served processes');
    const answers = part === 'frames' ? (await recordingOf(stage)).answers : [];
    const program = await HostProgram.start(stage, transport, cases);
    try {
      if (part === 'frames') return `${await runMutatedLies(program, answers, join(stage.folder, 'answers'), span, onFinding)} mutated frames, MIMAS_SEED=${span.seed}, ${waitOf(program)}`;
      const chosen = sampleOf(cases, order.nth ?? 1).filter(({ name, only: where }) => name.includes(only) && (where ?? transport) === transport);
      await runLies(program, cases, chosen.map((one) => cases.indexOf(one)), onFinding);
      return `${chosen.length} cases, ${waitOf(program)}`;
    } finally {
      await program.end();
    }
  }
  if (transport === 'pipe' || transport === 'port') throw new Error(`nobody but its owner is served over a ${transport}`);
  const calls = part === 'frames' ? (await recordingOf(stage)).calls : [];
  const victim = await Victim.start(stage, transport satisfies SocketName);
  try {
    if (part === 'frames') return `${await runMutations(victim, calls, span, onFinding)} mutated frames, MIMAS_SEED=${span.seed}, ${waitOf(victim)}`;
    if (part === 'exhaustion') {
      const attacks = ATTACKS.filter(({ name }) => name.includes(only));
      await runAttacks(victim, attacks, onFinding);
      return `${attacks.length} attacks, ${waitOf(victim)}`;
    }
    const chosen = sampleOf(cases, order.nth ?? 1).filter(({ name, heavy, only: where }) => name.includes(only) && !heavy && !where);
    await runTable(victim, chosen, onFinding);
    return `${chosen.length} cases, ${waitOf(victim)}`;
  } finally {
    await victim.end();
  }
}
