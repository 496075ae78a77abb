// The books of a run: what each call was told, against how often it was executed. Two sources that know nothing of each other:
// callers note how calls ended, processes append what they ran to a file. (Callbacks run here, and are counted here.)
import { closeSync, openSync, readSync } from 'node:fs';
import { MimasError } from 'mimas';
import type { Outcome } from './process.js';

/** `own`: the caller's own reason, or an error that the method was asked to throw. */
type End = { how: 'success' } | { how: 'thrown' } | { how: 'own' } | { how: 'error'; code: string; maybeExecuted: boolean };

export interface Entry {
  readonly id: string;
  /** Kind of call and where it went, for reports. */
  readonly what: string;
  readonly idempotent: boolean;
  readonly madeAt: number;
  end: End | undefined;
}

export interface Figures {
  calls: number;
  successes: number;
  /** Errors of Mimas by code: how many said that the method may have run, and how many that it did not. */
  readonly errors: Record<string, { true: number; false: number }>;
  /** Of those that did not: where they came from. */
  readonly refusals: Record<string, number>;
  /** The caller's own reasons. */
  givenUp: number;
  /** Errors that methods were asked to throw. */
  thrown: number;
  executions: number;
  /** Longest time from a call to its end, ms. */
  longest: number;
  longestOf: string;
}

export class Books {
  readonly violations = new Set<string>();
  readonly figures: Figures = { calls: 0, successes: 0, errors: {}, refusals: {}, givenUp: 0, thrown: 0, executions: 0, longest: 0, longestOf: '' };
  #entries = new Map<string, Entry>();
  /** Of the round before: what it said, and how often it ran. */
  #past = new Map<string, Entry>();
  /** Told that they never ran, in any round. */
  readonly #never = new Set<string>();
  #runs = new Map<string, number>();
  #count = 0;
  readonly #fd: number;
  #read = 0;
  #rest = '';

  constructor(
    file: string,
    private readonly prefix: string,
  ) {
    this.#fd = openSync(file, 'a+');
  }

  open(what: string, idempotent = false): Entry {
    const entry: Entry = { id: `${this.prefix}-${++this.#count}`, what, idempotent, madeAt: performance.now(), end: undefined };
    this.#entries.set(entry.id, entry);
    this.figures.calls++;
    return entry;
  }

  /** Something was executed in this program. */
  ranHere(id: string): void {
    this.#runs.set(id, (this.#runs.get(id) ?? 0) + 1);
    this.figures.executions++;
  }

  wrong(entry: Entry, what: string): void {
    this.violations.add(`${entry.what} ${entry.id}: ${what}`);
  }

  succeeded(entry: Entry): void {
    this.#close(entry, { how: 'success' });
    this.figures.successes++;
  }

  /** `own`: what the caller itself gave as the reason, or asked the method to throw. */
  failed(entry: Entry, error: unknown, { reason, thrown }: { reason?: unknown; thrown?: string } = {}): void {
    if (reason !== undefined && error === reason) {
      this.figures.givenUp++;
      this.#close(entry, { how: 'own' });
    } else if (error instanceof MimasError) this.#told(entry, error.code, error.maybeExecuted);
    else if (thrown !== undefined && (error as Error)?.name === 'RangeError' && (error as Error).message === thrown) {
      this.figures.thrown++;
      this.#close(entry, { how: 'thrown' });
    } else {
      this.wrong(entry, `an error that nobody can have thrown: ${(error as Error)?.stack ?? String(error)}`);
      this.#close(entry, { how: 'own' });
    }
  }

  /** How a call ended that a process made; undefined: nobody came to tell. */
  reported(entry: Entry, outcome: Outcome | undefined): void {
    if (outcome === undefined) this.#close(entry, { how: 'own' });
    else if (outcome.ok) this.succeeded(entry);
    else if (outcome.mimas) this.#told(entry, outcome.code!, outcome.maybeExecuted);
    else {
      this.wrong(entry, `an error that nobody can have thrown: ${outcome.code}`);
      this.#close(entry, { how: 'own' });
    }
  }

  /** It was never made: the call that would have made it did not begin. */
  neverMade(entry: Entry): void {
    this.#close(entry, { how: 'error', code: '', maybeExecuted: false });
  }

  #told(entry: Entry, code: string, maybeExecuted: unknown): void {
    if (typeof maybeExecuted !== 'boolean') this.wrong(entry, `${code} does not say whether the method may have run`);
    const count = (this.figures.errors[code] ??= { true: 0, false: 0 });
    count[maybeExecuted === false ? 'false' : 'true']++;
    const refusal = `${entry.what.split('.')[0]} ${code}`;
    if (maybeExecuted === false) this.figures.refusals[refusal] = (this.figures.refusals[refusal] ?? 0) + 1;
    this.#close(entry, { how: 'error', code, maybeExecuted: maybeExecuted !== false });
  }

  #close(entry: Entry, end: End): void {
    if (entry.end) this.wrong(entry, `ended twice: ${entry.end.how}, ${end.how}`);
    entry.end = end;
    const took = performance.now() - entry.madeAt;
    if (took <= this.figures.longest) return;
    this.figures.longest = took;
    this.figures.longestOf = entry.what;
  }

  /** Calls that have not ended. */
  unsettled(): Entry[] {
    return [...this.#entries.values()].filter(({ end }) => !end);
  }

  /** Compares what was told with what was run, and begins a new round. */
  balance(): void {
    this.#readFile();
    for (const entry of this.#entries.values()) this.#check(entry);
    // One of the round before may have run only now: it was given up, and nobody could call it back.
    for (const entry of this.#past.values()) this.#check(entry);
    for (const id of this.#runs.keys()) if (this.#never.has(id)) this.violations.add(`${id}: ran, long after it was told that it never did`);
    const late = new Map<string, number>();
    for (const id of this.#entries.keys()) {
      const runs = this.#runs.get(id);
      if (runs !== undefined) late.set(id, runs);
    }
    for (const { id, end } of this.#entries.values()) if (end?.how === 'error' && !end.maybeExecuted) this.#never.add(id);
    this.#past = this.#entries;
    this.#runs = late;
    this.#entries = new Map();
  }

  #check(entry: Entry): void {
    const runs = this.#runs.get(entry.id) ?? 0;
    const { end, idempotent } = entry;
    if (!end) this.wrong(entry, 'never ended');
    else if (end.how === 'success' || end.how === 'thrown') {
      if (idempotent ? runs < 1 : runs !== 1) this.wrong(entry, `answered, and ran ${runs} times`);
    } else if (end.how === 'error' && !end.maybeExecuted) {
      if (runs > 0) this.wrong(entry, `${end.code} said that it never ran, and it ran ${runs} times`);
    } else if (!idempotent && runs > 1) this.wrong(entry, `ran ${runs} times`);
  }

  #readFile(): void {
    const chunk = Buffer.alloc(1024 * 1024);
    for (let n = readSync(this.#fd, chunk, 0, chunk.length, this.#read); n > 0; n = readSync(this.#fd, chunk, 0, chunk.length, this.#read)) {
      this.#read += n;
      const lines = (this.#rest + chunk.toString('latin1', 0, n)).split('\n');
      this.#rest = lines.pop()!;
      for (const id of lines) if (id !== '') this.ranHere(id);
    }
  }

  close(): void {
    closeSync(this.#fd);
    this.#entries.clear();
    this.#past.clear();
    this.#runs.clear();
    this.#never.clear();
  }
}
