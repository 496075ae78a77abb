// Random histories against a model: whatever updates, deaths, failures and clock steps do, the engine takes no illegal step,
// never runs two hooks of one unit at once, resolves every promise, and ends Finished after shutdown.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Supervisor, TRANSITIONS, type Phase, type SyncResult, type Syncer } from '../../src/supervisor/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const IDS = ['a', 'b', 'c'];

/** How the next hook of a unit turns out. */
interface Fate { takes: number; outcome: 'ok' | 'error' | 'terminal' | 'transient'; deaf: boolean }

class World implements Syncer<number> {
  readonly clock = new FakeClock();
  readonly supervisor: Supervisor<number>;
  readonly fates = new Map<string, Fate>();
  readonly running = new Map<string, number>();
  readonly phases = new Map<string, Phase>();
  readonly applied = new Map<string, number>();
  readonly promises: Promise<unknown>[] = [];
  violations: string[] = [];
  settled = 0;

  constructor(policy: 'none' | 'permanent' | 'transient') {
    this.supervisor = new Supervisor<number>({ syncer: this, clock: this.clock, resyncInterval: 3000, ...(policy !== 'none' && { restartPolicy: { type: policy, maxRestarts: 8 } }) });
    this.supervisor.on('transition', ({ id, from, to }) => {
      const before = this.phases.get(id);
      const expected = before === undefined || before === 'Finished' ? 'Starting' : before;
      if (from !== expected || !TRANSITIONS[from].includes(to)) this.violations.push(`${id}: ${from} → ${to} (was ${before})`);
      this.phases.set(id, to);
    });
  }

  track(promise: Promise<unknown>) {
    this.promises.push(promise.then(() => this.settled++));
  }

  async #hook(id: string, signal: AbortSignal, legal: readonly Phase[]): Promise<Fate['outcome']> {
    const running = (this.running.get(id) ?? 0) + 1;
    this.running.set(id, running);
    if (running > 1) this.violations.push(`${id}: ${running} hooks at once`);
    const phase = this.supervisor.getProcessStatus(id)?.state;
    if (!phase || !legal.includes(phase)) this.violations.push(`${id}: a hook of ${legal.join('|')} in ${phase}`);
    if (signal.aborted) this.violations.push(`${id}: began with an aborted signal`);
    const fate = this.fates.get(id) ?? { takes: 0, outcome: 'ok', deaf: false };
    this.fates.delete(id);
    try {
      if (fate.takes > 0) await this.clock.sleep(fate.takes, fate.deaf ? undefined : signal);
    } finally {
      this.running.set(id, running - 1);
    }
    if (fate.outcome === 'error') throw new Error('fate');
    if (fate.outcome === 'transient') throw new DOMException('fate', 'AbortError');
    return fate.outcome;
  }

  async syncProcess(ctx: { id: string; signal: AbortSignal }, _type: string, config: number): Promise<SyncResult> {
    const outcome = await this.#hook(ctx.id, ctx.signal, ['Starting', 'Syncing']);
    this.applied.set(ctx.id, config);
    return { terminal: outcome === 'terminal' };
  }

  async syncTerminatingProcess(ctx: { id: string; signal: AbortSignal }): Promise<void> {
    await this.#hook(ctx.id, ctx.signal, ['Terminating']);
  }

  async syncTerminatedProcess(ctx: { id: string; signal: AbortSignal }): Promise<void> {
    await this.#hook(ctx.id, ctx.signal, ['Terminated']);
  }
}

/** `waiting`: a create came while this generation was ending, so that later updates are for the next one. */
interface Model { latest: Map<string, number>; waiting: Map<string, number> }
type Command = fc.AsyncCommand<Model, World>;

function command(name: string, run: (model: Model, world: World) => void | Promise<void>): Command {
  return {
    check: () => true,
    toString: () => name,
    run: async (model, world) => {
      await run(model, world);
      expect(world.violations).toEqual([]);
      const { processes, ...report } = world.supervisor.health();
      expect(report.totalProcesses).toBe(Object.keys(processes).length);
      // One timer for the queue, one for the graces; the rest belong to hooks that are asleep.
      const asleep = [...world.running.values()].reduce((sum, n) => sum + n, 0);
      expect(world.clock.pending).toBeLessThanOrEqual(asleep + 2);
    },
  };
}

const id = fc.constantFrom(...IDS);
const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(id, fc.nat(1e6)).map(([id, config]) => command(`create ${id} ${config}`, (model, world) => {
    const status = world.supervisor.getProcessStatus(id);
    if (status && status.state !== 'Starting' && status.state !== 'Syncing') model.waiting.set(id, status.generation);
    model.latest.set(id, config);
    world.track(world.supervisor.updateProcess({ id, updateType: 'create', config }));
  })),
  fc.tuple(id, fc.nat(1e6), fc.constantFrom('update' as const, 'sync' as const)).map(([id, config, updateType]) => command(`${updateType} ${id} ${config}`, (model, world) => {
    const status = world.supervisor.getProcessStatus(id);
    if (!status || status.state === 'Starting' || status.state === 'Syncing' || model.waiting.get(id) === status.generation) model.latest.set(id, config);
    world.track(world.supervisor.updateProcess({ id, updateType, config }));
  })),
  fc.tuple(id, fc.option(fc.nat(5000), { nil: undefined }), fc.boolean()).map(([id, gracePeriod, evict]) => command(`terminate ${id} ${gracePeriod} ${evict}`, (model, world) => {
    if (!world.supervisor.getProcessStatus(id)) return;
    model.waiting.delete(id);
    world.track(world.supervisor.updateProcess({ id, updateType: 'terminate', terminateOptions: { evict, ...(gracePeriod !== undefined && { gracePeriod }) } }));
  })),
  fc.tuple(id, fc.boolean()).map(([id, clean]) => command(`exit ${id} ${clean ? 'clean' : 'crash'}`, (_model, world) => void world.supervisor.notifyExit(id, { clean }))),
  fc.tuple(id, fc.record({ takes: fc.constantFrom(0, 0, 50, 700, 4000), outcome: fc.constantFrom('ok', 'error', 'error', 'terminal', 'transient'), deaf: fc.boolean() }))
    .map(([id, fate]) => command(`fate ${id} ${JSON.stringify(fate)}`, (_model, world) => void world.fates.set(id, fate as Fate))),
  fc.constantFrom(0, 1, 100, 1000, 5000, 20_000).map((ms) => command(`advance ${ms}`, (_model, world) => world.clock.advance(ms))),
  fc.subarray(IDS).map((ids) => command(`known ${ids.join()}`, (model, world) => {
    for (const id of IDS) if (!ids.includes(id)) model.waiting.delete(id);
    world.supervisor.syncKnownProcesses(ids);
  })),
];

describe('any history', () => {
  it('takes legal steps only, never overlaps, applies the latest config, and ends Finished', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), fc.constantFrom('none' as const, 'permanent' as const, 'transient' as const), async (cmds, policy) => {
        const world = new World(policy);
        const model: Model = { latest: new Map(), waiting: new Map() };
        await fc.asyncModelRun(() => ({ model, real: world }), cmds);
        // Left alone, everything that wants to be up is up, with the latest config (a waiting restart may take up to 30 s).
        await world.clock.advance(60_000);
        for (const [unit, health] of Object.entries(world.supervisor.health().processes)) {
          if (health.state === 'Finished') continue;
          expect([unit, health.state, health.healthy]).toEqual([unit, 'Syncing', true]);
          if (model.latest.has(unit)) expect(world.applied.get(unit)).toBe(model.latest.get(unit));
        }
        const down = world.supervisor.shutdown();
        world.track(down);
        await world.clock.advance(60_000);
        await down;
        for (const health of Object.values(world.supervisor.health().processes)) expect(health.state).toBe('Finished');
        expect(world.violations).toEqual([]);
        expect(world.settled).toBe(world.promises.length);
        expect(world.clock.pending).toBe(0);
      }),
      { numRuns: Number(process.env['MIMAS_RUNS'] ?? 300) },
    );
  });
});
