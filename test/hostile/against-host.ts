// Direction two: a lying process against an honest program that calls it. After each case every call has settled, by an answer or by an
// error that says what it is; the program lives, and its calls of an honest process are undisturbed.
import { join } from 'node:path';
import type { Remote } from 'mimas';
import type HostProcess from '../fixtures/hostile/host.process.js';
import type { Outcomes } from '../fixtures/hostile/host.process.js';
import type { Finding } from './against-served.js';
import type { Case } from './cases.js';
import { Liar } from './liar.js';
import { LONGEST_WAIT, SETTLE } from './limits.js';
import { childrenOf, descriptorsOf, forgetPeak, peakOf, residentOf } from './processes.js';
import { lieInWait, type RawListener, type SocketName } from './raw-peer.js';
import type { Stage } from './victim.js';

export type LieName = SocketName | 'pipe' | 'port';
const MIB = 1024 * 1024;
/** As for a served process: a single frame of the table may take so much. */
const AMPLIFIED = 150 * MIB;
/** Longest that a program may be silent before it is given up, ms. */
const GIVEN_UP = 20_000;
/** Errors that the liar itself said, in these cases, are values like others. */
const SAYS_ERRORS = /^(?:ERROR|FAIL)\b|, as (?:an error|a failure)$|ABORT|CANCEL|FAIL|answers? to/;

export class HostProgram {
  #host!: Remote<HostProcess>;
  #pid = 0;
  #dead = false;
  #listener: RawListener | undefined;
  #liars = 0;

  private constructor(private readonly stage: Stage, readonly transport: LieName, private readonly cases: readonly Case[]) {}

  static async start(stage: Stage, transport: LieName, cases: readonly Case[]): Promise<HostProgram> {
    const program = new HostProgram(stage, transport, cases);
    const { folder, certificate } = stage;
    if (transport !== 'pipe' && transport !== 'port') {
      program.#listener = await lieInWait(transport, { path: join(folder, `l${process.pid}-${++lies}.sock`), certificate }, (peer) => {
        const liar = new Liar({ body: (body) => void peer.sendBody(body) }, cases);
        peer.onBatch((batch) => liar.hear(batch));
        liar.greet();
      });
    }
    await program.#start();
    return program;
  }

  get pid(): number {
    return this.#pid;
  }

  async #start(): Promise<void> {
    this.#dead = false;
    this.#host = await this.stage.pm.spawn<HostProcess>(join(import.meta.dirname, '../fixtures/hostile/host.process.ts'), { isolation: 'child', execArgv: ['--expose-gc'], output: 'capture', restartPolicy: { enabled: false } });
    this.#host.$handle.on('crash', () => (this.#dead = true));
    this.#pid = await this.#host.pid();
    this.#liars = 0;
  }

  /** How the calls of one visit have settled; undefined when the program died of it. */
  async visit(index: number): Promise<Outcomes | undefined> {
    const bound = this.#host.$with({ timeout: GIVEN_UP, whileRestarting: 'fail' });
    const { transport } = this;
    const secure = transport === 'tls' || transport === 'wss';
    try {
      const outcomes = await (transport === 'pipe' || transport === 'port'
        ? bound.visitOwn(transport === 'pipe' ? 'child' : 'worker', index, SETTLE)
        : bound.visit(this.#listener!.address, 'any', secure ? this.stage.certificate!.cert : undefined, index, SETTLE));
      this.#liars++;
      await bound.pid();
      return this.#dead ? undefined : outcomes;
    } catch {
      return undefined;
    }
  }

  async runCase(index: number): Promise<Finding[]> {
    const { name, amplifies = false } = this.cases[index]!;
    if (amplifies) forgetPeak(this.#pid);
    const before = amplifies ? residentOf(this.#pid) : 0;
    const began = performance.now();
    const outcomes = await this.visit(index);
    const took = performance.now() - began;
    if (!outcomes) {
      const what = `THE PROGRAM DIED: ${this.lastWords()}`;
      await this.revive();
      return [{ name, what }];
    }
    const found = Object.entries(outcomes).filter(([, outcome]) => outcome === 'UNSETTLED' || (outcome.startsWith('without a code') && !SAYS_ERRORS.test(name))).map(([call, outcome]) => `${call}(): ${outcome}`);
    if (found.length === 0 && took > LONGEST_WAIT) found.push(`its event loop was held for ${Math.round(took)} ms`);
    if (amplifies && peakOf(this.#pid) - before > AMPLIFIED) found.push(`it took ${Math.round((peakOf(this.#pid) - before) / MIB)} MiB`);
    return found.map((what) => ({ name, what }));
  }

  lastWords(): string {
    const lines = this.#host.$handle.logs();
    return (lines.find((line) => /Error|FATAL|heap/.test(line) && !/^\s+at /.test(line)) ?? lines.at(-1) ?? 'without a word').slice(0, 200);
  }

  printed(): readonly string[] {
    return this.#host.$handle.logs();
  }

  async revive(): Promise<void> {
    await this.#host.$handle.kill().catch(() => {});
    await this.#start();
  }

  held(): Promise<number> {
    return this.#host.held();
  }

  async complaints(): Promise<string[]> {
    const { wrong, longest } = await this.#host.report();
    return [...wrong.map((text) => `the honest calls got ${text}`), ...(longest > LONGEST_WAIT ? [`the honest calls waited ${Math.round(longest)} ms`] : [])];
  }

  facts(): { descriptors: number; children: number } {
    return { descriptors: descriptorsOf(this.#pid), children: childrenOf(this.#pid).length };
  }

  async end(): Promise<void> {
    await this.#host.$handle.kill().catch(() => {});
    await this.#listener?.close();
  }
}

let lies = 0;

/** The cases of the given numbers; findings as they come. */
export async function runLies(program: HostProgram, numbers: readonly number[], nameOf: (index: number) => string, onFinding: (finding: Finding) => void): Promise<void> {
  const say = (name: string, whats: readonly string[]) => whats.forEach((what) => onFinding({ name, what }));
  await program.visit(-1);
  const held = await program.held();
  const before = program.facts();
  const { pid } = program;
  for (const [count, index] of numbers.entries()) {
    for (const finding of await program.runCase(index)) onFinding(finding);
    if (count % 100 === 99) say(`the hundred cases up to: ${nameOf(index)}`, await program.complaints());
  }
  say('at the end of the lies', await program.complaints());
  if (program.printed().length > 0) say('at the end of the lies', [`it printed: ${program.printed()[0]}`]);
  if (pid !== program.pid) return;
  for (let attempt = 0; attempt < 100 && program.facts().descriptors > before.descriptors; attempt++) await new Promise((resolve) => setTimeout(resolve, 20));
  const after = program.facts();
  if (after.descriptors > before.descriptors || after.children > before.children) say('at the end of the lies', [`${after.descriptors - before.descriptors} descriptors and ${after.children - before.children} processes are left`]);
  const left = (await program.held()) - held;
  if (left > 50 * MIB) say('at the end of the lies', [`${Math.round(left / MIB)} MiB are left`]);
}
