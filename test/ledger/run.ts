// Random load on everything at once, under faults, until the time is over: then every call has ended, once, and the books agree.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcessManager } from 'mimas';
import { Books, type Figures } from './books.js';
import { burst, callSomething } from './kinds.js';
import { Random } from './random.js';
import { makeSubjects, type Subject } from './subjects.js';

export interface RunOptions {
  readonly seed: number;
  readonly ms: number;
  /** Calls are balanced against executions this often, ms. */
  readonly round?: number;
  onRound?(figures: Figures): void;
}

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly figures: Figures;
  readonly faults: Record<string, number>;
  readonly violations: string[];
}

/** Every call ends by itself within this, ms: the longest limit of any of them, and a loaded machine. */
const SETTLE_MS = 30_000;
const FAULT_EVERY_MS = 120;

export async function run({ seed, ms, round = 10_000, onRound }: RunOptions): Promise<Report> {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'mimas-ledger-'));
  const file = join(folder, 'executions');
  const books = new Books(file, seed.toString(36));
  const pm = createProcessManager({ output: 'capture' });
  const faults: Record<string, number> = {};
  const started = performance.now();
  const end = started + ms;
  let subjects: readonly Subject[] = [];
  try {
    subjects = await makeSubjects({ pm, folder, file });
    // So that each limit is met, however little a loaded machine gets done.
    await Promise.all(subjects.map((target) => burst({ books, random: random.fork(), target, other: target })));
    const troubled = trouble(subjects, random.fork(), end, faults);
    while (performance.now() < end) {
      const until = Math.min(end, performance.now() + round);
      const callers = subjects.flatMap((target) => Array.from({ length: target.callers }, () => caller(target, subjects, { books, random: random.fork(), until })));
      if (!(await within(Promise.all(callers), until - performance.now() + SETTLE_MS))) {
        for (const entry of books.unsettled()) books.wrong(entry, `not settled ${SETTLE_MS} ms after the end`);
        break;
      }
      books.balance();
      onRound?.(books.figures);
    }
    await troubled;
  } finally {
    for (const subject of subjects) await subject.close?.();
    await pm.shutdown({ timeout: 10_000 });
  }
  // Nothing runs any more: what was executed is known for good.
  books.balance();
  books.balance();
  const report = { seed, seconds: Math.round((performance.now() - started) / 100) / 10, figures: books.figures, faults, violations: [...books.violations] };
  books.close();
  rmSync(folder, { recursive: true, force: true });
  return report;
}

async function caller(target: Subject, subjects: readonly Subject[], { books, random, until }: { books: Books; random: Random; until: number }): Promise<void> {
  const others = subjects.filter(({ name }) => name !== target.name);
  while (performance.now() < until) {
    await callSomething({ books, random, target, other: random.pick(others) });
    await sleep(random.int(8));
  }
}

/** One fault after the other; those that take time overlap. */
async function trouble(subjects: readonly Subject[], random: Random, end: number, counts: Record<string, number>): Promise<void> {
  const running = new Set<Promise<unknown>>();
  while (performance.now() < end) {
    await sleep(FAULT_EVERY_MS / 2 + random.int(FAULT_EVERY_MS));
    const subject = random.pick(subjects);
    const [name, fault] = random.pick(Object.entries(subject.faults));
    counts[name] = (counts[name] ?? 0) + 1;
    const going = Promise.resolve(fault(random)).finally(() => running.delete(going));
    running.add(going);
  }
  await Promise.all(running);
}

function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  return Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}
