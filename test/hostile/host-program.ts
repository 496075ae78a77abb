// An honest program in a child of its own, and the liar that it calls. It is started anew whenever a lie has ended it.
import { join } from 'node:path';
import type { Remote } from 'mimas';
import type HostProcess from '../fixtures/hostile/host.process.js';
import type { Outcomes } from '../fixtures/hostile/host.process.js';
import type { Case } from './cases.js';
import type { Corpus } from './corpus.js';
import { Liar } from './liar.js';
import { LONGEST_WAIT, number, PATIENCE } from './limits.js';
import { childrenOf, descriptorsOf } from './processes.js';
import { lieInWait, type RawListener, type RawPeer, type SocketName } from './raw-peer.js';
import { RichLiar } from './rich-liar.js';
import type { Facts, Stage } from './victim.js';

export type LieName = SocketName | 'pipe' | 'port';
/** Longest that a program may be silent before it is given up, ms. */
const GIVEN_UP = number('MIMAS_GIVEN_UP', PATIENCE + 20_000);
let lies = 0;

export class HostProgram {
  #host!: Remote<HostProcess>;
  #pid = 0;
  /** How it ended. */
  #dead: string | undefined;
  #listener: RawListener | undefined;
  #liar: Liar | undefined;
  /** Mutated frames that were said over sockets. */
  said = 0;
  /** Longest wait of the honest calls in all, ms by the clock on the wall. */
  longestWall = 0;
  /** What a liar of changed answers is to say to who comes next. */
  #rich: { answers: Corpus; seed: number } | undefined;

  private constructor(private readonly stage: Stage, readonly transport: LieName, private readonly cases: readonly Case[]) {}

  static async start(stage: Stage, transport: LieName, cases: readonly Case[]): Promise<HostProgram> {
    const program = new HostProgram(stage, transport, cases);
    const { folder, certificate } = stage;
    if (transport !== 'pipe' && transport !== 'port') {
      program.#listener = await lieInWait(transport, { path: join(folder, `l${process.pid}-${++lies}.sock`), certificate }, (peer) => {
        const liar = program.#liarFor(peer);
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

  /** The liars are processes of its own. */
  get owned(): boolean {
    return this.transport === 'pipe' || this.transport === 'port';
  }

  #liarFor(peer: RawPeer): Liar | RichLiar {
    const channel = { get open() { return !peer.closed; }, body: (body: Uint8Array) => void peer.sendBody(body), end: () => peer.destroy() };
    if (this.#rich) return new RichLiar(channel, this.#rich.answers, this.#rich.seed, (changed) => (this.said += changed));
    return (this.#liar = new Liar(channel, this.cases));
  }

  async #start(): Promise<void> {
    this.#dead = undefined;
    this.#host = await this.stage.pm.spawn<HostProcess>(join(import.meta.dirname, '../fixtures/hostile/host.process.ts'), { isolation: 'child', execArgv: ['--expose-gc'], output: 'capture', restartPolicy: { enabled: false } });
    this.#host.$handle.on('crash', ({ exitCode, signal }) => (this.#dead = signal ?? `exit code ${exitCode}`));
    this.#pid = await this.#host.pid();
  }

  get #ca(): Uint8Array | undefined {
    return this.transport === 'tls' || this.transport === 'wss' ? this.stage.certificate!.cert : undefined;
  }

  /** How the calls of one visit have settled; undefined when the program died of it. */
  async visit(index: number): Promise<Outcomes | undefined> {
    const { transport } = this;
    return this.#survives((host) => (this.owned ? host.visitOwn(transport === 'pipe' ? 'child' : 'worker', index, PATIENCE) : host.visit(this.#listener!.address, 'any', this.#ca, index, PATIENCE)));
  }

  /** ms that the last lie took to be made. */
  get spent(): number {
    return this.#liar?.spent ?? 0;
  }

  async #survives(visit: (host: Remote<HostProcess>) => Promise<Outcomes>): Promise<Outcomes | undefined> {
    const bound = this.#host.$with({ timeout: GIVEN_UP, whileRestarting: 'fail' });
    try {
      const outcomes = await visit(bound);
      await bound.pid();
      return this.#dead ? undefined : outcomes;
    } catch (error) {
      const alive = await bound.pid().then(() => this.#dead === undefined, () => false);
      return alive ? { visit: `without a code: ${String(error)}` } : undefined;
    }
  }

  /** The same with a liar whose answers are those of `answers`, changed by the chance of `seed`; `file` holds them, too. */
  async visitRich(answers: Corpus, file: string, seed: number): Promise<Outcomes | undefined> {
    this.#rich = { answers, seed };
    const { transport } = this;
    return this.#survives((host) =>
      this.owned ? host.visitRichOwn(transport === 'pipe' ? 'child' : 'worker', seed, file, PATIENCE) : host.visitRich(this.#listener!.address, 'any', this.#ca, PATIENCE),
    );
  }

  lastWords(): string {
    const lines = this.#host.$handle.logs();
    return (lines.find((line) => /Error|FATAL|heap/.test(line) && !/^\s+at /.test(line)) ?? lines.at(-1) ?? (this.#dead ? `${this.#dead}, without a word` : `it gave its owner no answer within ${GIVEN_UP} ms`)).slice(0, 200);
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
    const { wrong, longest, wall } = await this.#host.report();
    this.longestWall = Math.max(this.longestWall, wall);
    return [...wrong.map((text) => `the honest calls got ${text}`), ...(longest > LONGEST_WAIT ? [`the honest calls waited ${Math.round(longest)} ms`] : [])];
  }

  facts(): Facts {
    return { descriptors: descriptorsOf(this.#pid), children: childrenOf(this.#pid).length };
  }

  /** The same once what is on its way has ended, or has not within five seconds. */
  async settledFacts(before: Facts): Promise<Facts> {
    // A liar of its own may be on its way down or up.
    const more = ({ descriptors, children }: Facts) => descriptors.length > before.descriptors.length || children > before.children;
    for (let attempt = 0; attempt < 250 && more(this.facts()); attempt++) await new Promise((resolve) => setTimeout(resolve, 20));
    return this.facts();
  }

  async end(): Promise<void> {
    await this.#host.$handle.kill().catch(() => {});
    await this.#listener?.close();
  }
}
