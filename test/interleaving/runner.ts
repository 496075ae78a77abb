// Runs a schedule in a world and judges how every operation of it ended.
// Invariant: returns only when each operation has had its exact outcome, or was lost to a process that died while it ran, and
// nothing of it is left on either side. Nothing waits without a bound.
import { ticks } from '../fixtures/processes/ticks.js';
import { Wrong, type Hand } from './operation.js';
import { OPERATIONS, show, type Schedule } from './schedule.js';
import { Source } from './source.js';
import type { World } from './world.js';

/** What a call may end with when its process, or one that it had to do with, dies. */
const DEATHS: ReadonlySet<unknown> = new Set(['PROCESS_CRASHED', 'PROCESS_STOPPED', 'LINK_CLOSED', 'FORGOTTEN']);

let schedulesRun = 0;

interface Outcome { readonly began: number; readonly ended: number; readonly error?: unknown }

class Disturbances {
  readonly #spans: { from: number; to: number }[] = [];

  async during(what: Promise<void>): Promise<void> {
    const span = { from: performance.now(), to: Infinity };
    this.#spans.push(span);
    await what;
    span.to = performance.now();
  }

  touch({ began, ended }: Outcome): boolean {
    return this.#spans.some(({ from, to }) => began <= to && ended >= from);
  }
}

/** How many operations there were, and how many of them were lost to a death. */
export interface Tally { readonly operations: number; readonly lost: number }

/** @throws with the whole schedule; `patience`: ms for all of it. */
export async function run(world: World, schedule: Schedule, patience: number): Promise<Tally> {
  const serial = ++schedulesRun;
  const sources: { label: string; source: Source }[] = [];
  const disturbances = new Disturbances();
  const running = new Set<string>();
  const stray: unknown[] = [];
  const onStray = (error: unknown) => void stray.push(error);
  process.on('unhandledRejection', onStray);
  let calls = serial * 1_000;

  const begin = async (index: number): Promise<Outcome & { label: string }> => {
    const step = schedule[index]!;
    const label = `${index} (${step.kind})`;
    running.add(label);
    const began = performance.now();
    let error: { error: unknown } | undefined;
    try {
      if (!('params' in step)) await disturbances.during(world.disturb!(step.who, step.how));
      else {
        const key = `${serial}.${index}`;
        const base = (serial % 1_000) * 100_000 + index * 1_000;
        const source: Hand['source'] = (flow) => {
          const made = new Source(flow, base);
          sources.push({ label, source: made });
          return made.items;
        };
        await OPERATIONS[step.kind]!.run({ key, base, calc: world.calc, other: world.other, get pinned() { return world.pin(key); }, next: () => ++calls, source }, step.params as never);
      }
    } catch (thrown) {
      error = { error: thrown };
    }
    running.delete(label);
    return { label, began, ended: performance.now(), ...error };
  };

  const bounded = bound(patience);
  try {
    const all: Promise<Outcome & { label: string }>[] = [];
    for (const [index, step] of schedule.entries()) {
      all.push(begin(index));
      await ticks(step.gap);
    }
    const outcomes = await bounded.within(Promise.all(all), () => `no end of ${[...running].join(', ')}${world.state ? ` (${world.state()})` : ''}`);
    for (const outcome of outcomes) judge(outcome, disturbances);
    let left: object = {};
    do {
      left = { ...(await bounded.within(world.left(), () => `left behind: ${JSON.stringify(left)}`)), ...opened(sources) };
    } while (Object.keys(left).length > 0);
    if (stray.length > 0) throw new Wrong(`nobody handled ${stray.map(String).join('; ')}`);
    return { operations: outcomes.length, lost: outcomes.filter((outcome) => 'error' in outcome).length };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${show(schedule)}`, { cause: error });
  } finally {
    bounded.end();
    process.off('unhandledRejection', onStray);
  }
}

function judge(outcome: Outcome & { label: string }, disturbances: Disturbances): void {
  if (!('error' in outcome)) return;
  const { error, label } = outcome;
  if (!(error instanceof Wrong) && DEATHS.has((error as { code?: unknown } | undefined)?.code) && disturbances.touch(outcome)) return;
  throw new Wrong(`${label}: ${error instanceof Wrong ? error.message : `ended with ${String(error)}, code ${String((error as { code?: unknown } | undefined)?.code)}`}`, { cause: error });
}

function opened(sources: readonly { label: string; source: Source }[]): { producers?: string[] } {
  const producers = sources.filter(({ source }) => source.open).map(({ label }) => label);
  return producers.length > 0 ? { producers } : {};
}

/** One time for all that is waited for. */
function bound(ms: number) {
  let expire!: () => void;
  const expired = new Promise<void>((resolve) => (expire = resolve));
  const timer = setTimeout(() => expire(), ms);
  return {
    within: <T>(what: Promise<T>, explain: () => string): Promise<T> => Promise.race([what, expired.then(() => Promise.reject(new Wrong(explain())))]),
    end: () => clearTimeout(timer),
  };
}
