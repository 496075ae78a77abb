// A served process in a child of its own, with an honest caller beside it. It is started anew whenever a hostile peer has ended it,
// so that one fault does not hide those behind it.
import { join } from 'node:path';
import type { ProcessManager, Remote } from 'mimas';
import type Honest from '../fixtures/hostile/honest.process.js';
import type Served from '../fixtures/hostile/victim.process.js';
import { LONGEST_WAIT, number } from './limits.js';
import { childrenOf, descriptorsOf, forgetPeak, peakOf, residentOf, starvedOf } from './processes.js';
import { reach, type Certificate, type RawPeer, type SocketName } from './raw-peer.js';

const FIXTURES = join(import.meta.dirname, '../fixtures/hostile');
export const TOKEN = 'a-token-that-everybody-here-knows';
/** A process that does not answer its owner for so long will not come back, ms. */
const GIVEN_UP = number('MIMAS_GIVEN_UP', 30_000);

export interface Stage {
  readonly pm: ProcessManager;
  /** For sockets. */
  readonly folder: string;
  readonly certificate: Certificate | undefined;
}

export interface Facts { readonly descriptors: readonly string[]; readonly children: number }

export const leftBehind = (before: Facts, after: Facts): string[] => [
  ...(after.descriptors.length > before.descriptors.length ? [`descriptors are left open: ${after.descriptors.filter((one) => !before.descriptors.includes(one)).slice(0, 4).join(', ')}`] : []),
  ...(after.children > before.children ? [`${after.children - before.children} processes are left`] : []),
];

export class Victim {
  #served!: Remote<Served>;
  #honest: Remote<Honest> | undefined;
  /** How it ended. */
  #dead: string | undefined;
  #sockets = 0;
  #atFirst: { descriptors: string[]; children: number } = { descriptors: [], children: 0 };
  address = '';
  /** Longest wait of the honest caller in all, ms by the clock on the wall. */
  longestWall = 0;

  private constructor(private readonly stage: Stage, readonly transport: SocketName) {}

  static async start(stage: Stage, transport: SocketName): Promise<Victim> {
    const victim = new Victim(stage, transport);
    await victim.#start();
    return victim;
  }

  get pid(): number {
    return this.#served.$handle.pid!;
  }

  get secure(): boolean {
    return this.transport === 'tls' || this.transport === 'wss';
  }

  async #start(): Promise<void> {
    const { pm, folder, certificate } = this.stage;
    const { transport } = this;
    this.#dead = undefined;
    const listen = transport === 'unix' ? `unix:${join(folder, `v${process.pid}-${++this.#sockets}.sock`)}` : `${transport}://127.0.0.1:0`;
    const served = await pm.serve<Served>(join(FIXTURES, 'victim.process.ts'), {
      listen, token: TOKEN, isolation: 'child', execArgv: ['--expose-gc'], output: 'capture', restartPolicy: { enabled: false }, monitoring: { metrics: false },
      ...(this.secure ? { tls: certificate! } : {}),
    });
    this.#served = served.process;
    this.address = served.address;
    served.process.$handle.on('crash', ({ exitCode, signal }) => (this.#dead = signal ?? `exit code ${exitCode}`));
    this.#honest ??= await pm.spawn<Honest>(join(FIXTURES, 'honest.process.ts'), { isolation: 'worker', output: 'capture' });
    await this.#honest.visit(this.address, TOKEN, this.secure ? certificate!.cert : undefined, this.pid);
    await this.vitals();
    this.#atFirst = { descriptors: descriptorsOf(this.pid), children: childrenOf(this.pid).length };
  }

  reach(): Promise<RawPeer> {
    return reach(this.address, TOKEN);
  }

  /** ms that it and this program could have run, and had no processor. */
  get starved(): number {
    return starvedOf(this.pid) + starvedOf(process.pid);
  }

  /** ms that it took to answer its owner; undefined when it is dead or as good as. */
  async pulse(): Promise<number | undefined> {
    const began = performance.now();
    const answered = await this.#served.$with({ timeout: GIVEN_UP, whileRestarting: 'fail' }).add(20, 22).then((sum) => sum === 42, () => false);
    return answered && !this.#dead ? performance.now() - began : undefined;
  }

  /** Why it died, as it said itself. */
  lastWords(): string {
    const lines = this.#served.$handle.logs();
    const said = lines.filter((line) => /Error|FATAL|heap/.test(line) && !/^\s+at /.test(line));
    return (said[0] ?? lines.at(-1) ?? (this.#dead ? `${this.#dead}, without a word` : `it gave its owner no answer within ${GIVEN_UP} ms`)).slice(0, 200);
  }

  /** What it printed: an honest victim prints nothing at all. */
  printed(): readonly string[] {
    return this.#served.$handle.logs();
  }

  /** A new one, when the old one is gone. */
  async revive(): Promise<void> {
    await this.#served.$handle.kill().catch(() => {});
    await this.#start();
  }

  vitals() {
    return this.#served.vitals('collect');
  }

  ran(): Promise<number> {
    return this.#served.ran();
  }

  get resident(): number {
    return residentOf(this.pid);
  }

  /** Measures the memory it has at most from now on. */
  forgetPeak(): void {
    forgetPeak(this.pid);
  }

  get peak(): number {
    return peakOf(this.pid);
  }

  /** What is wrong with what the honest caller saw since it was asked last. */
  async complaints(): Promise<string[]> {
    const { calls, wrong, longest, wall } = await this.#honest!.report();
    this.longestWall = Math.max(this.longestWall, wall);
    return [
      ...wrong.map((text) => `the honest caller got ${text}`),
      ...(longest > LONGEST_WAIT ? [`the honest caller waited ${Math.round(longest)} ms`] : []),
      ...(calls === 0 && longest > LONGEST_WAIT ? ['the honest caller got no answer at all'] : []),
    ];
  }

  /** What is left behind once all hostile links are gone: descriptors and children. Waits for what is on its way. */
  async leftovers(): Promise<string[]> {
    const { descriptors, children } = this.#atFirst;
    for (let attempt = 0; attempt < 100 && descriptorsOf(this.pid).length > descriptors.length; attempt++) await new Promise((resolve) => setTimeout(resolve, 20));
    return leftBehind({ descriptors, children }, { descriptors: descriptorsOf(this.pid), children: childrenOf(this.pid).length });
  }

  async end(): Promise<void> {
    await this.#honest?.$handle.stop();
    await this.#served.$handle.kill().catch(() => {});
  }
}
