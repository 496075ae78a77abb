// Control of a pool: what stands under `pool.$handle`.
import { Meter } from '../rpc/meter.js';
import { worst } from '../runtime/health-checks.js';
import type { HealthCheckResult, HealthLevel, HealthStatus, MethodMetrics, ProcessMetrics, ProcessStatus } from '../types.js';
import { refuseUnknown } from '../supervisor/options.js';
import { parseDuration, type Duration } from '../units.js';
import type { BreakerState } from './breaker.js';
import type { RestartLimit } from '../supervisor/restart-policy.js';
import type { Pool } from './pool.js';
import { restingOf, standingText } from './standing.js';

export type PoolState = 'running' | 'draining' | 'drained' | 'stopped';

export interface PoolEvents {
  scaled: { from: number; to: number; reason: string };
  'replica-started': { id: string; slot: number };
  'replica-stopped': { id: string; slot: number };
  'replica-crashed': { id: string; slot: number };
  /** Its replacement serves; `id` is the one that went. */
  'replica-recycled': { id: string; slot: number; why: 'calls' | 'age' | 'memory' };
  /** It has died, and why; `methods`: of the calls that may have ended it. */
  'replica-died': { id: string; slot: number; methods: readonly string[]; error: Error };
  /**
   * It could not be started, has ended, or a limit of its restart policy is met: `limit` says which, and it is tried again by
   * itself in `retryAfter` ms.
   */
  'replica-failed': { slot: number; error: Error; limit?: RestartLimit; retryAfter?: number };
  /** A method has ended so many replicas that the option `poison` refuses it, for `retryAfter` ms. */
  poison: { method: string; retryAfter: number };
  breaker: { state: BreakerState };
  drained: object;
  reloaded: object;
}

export interface ReplicaInfo {
  readonly id: string;
  readonly slot: number;
  readonly pid: number | undefined;
  readonly threadId: number | undefined;
  readonly status: ProcessStatus;
  /** Calls in flight. */
  readonly active: number;
  /** Calls given to it so far. */
  readonly calls: number;
  readonly restarts: number;
}

export interface PoolMetrics extends MethodMetrics {
  readonly size: number;
  readonly active: number;
  readonly queued: number;
  /** Calls that failed without having reached a replica: queue full or too slow, cancelled while waiting, circuit open, pool closed. */
  readonly rejected: number;
  /** Milliseconds that calls waited for a place. */
  readonly wait: { readonly count: number; readonly mean: number; readonly max: number };
  /** Sums over the replicas. */
  readonly cpu: number;
  readonly memory: number;
  readonly methods: Record<string, MethodMetrics>;
  readonly replicas: readonly (ReplicaInfo & MethodMetrics & Pick<ProcessMetrics, 'cpu' | 'rateWindow' | 'memory'>)[];
}

export class PoolHandle {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get id(): string {
    return this.#pool.id;
  }
  get name(): string {
    return this.#pool.name;
  }
  get state(): PoolState {
    return this.#pool.state;
  }
  /** Replicas, those that are restarting among them; not those that finish their last calls. */
  get size(): number {
    return this.#pool.population.size;
  }
  /** Calls in flight. */
  get active(): number {
    return this.#pool.active;
  }
  /** Calls that wait for a place. */
  get pending(): number {
    return this.#pool.pending;
  }
  /** Warm spares that are ready. */
  get spares(): number {
    return this.#pool.population.spares;
  }
  get breaker(): BreakerState | undefined {
    return this.#pool.breaker?.state;
  }

  replicas(): ReplicaInfo[] {
    return this.#pool.population.all().map(({ slot, active, calls, member }) => ({ id: member.id, slot, pid: member.pid, threadId: member.threadId, status: member.status, active, calls, restarts: member.restarts }));
  }

  /** Sets the number of replicas (within the bounds, if the pool has any); resolves when it is reached. Those that leave finish their calls first. */
  async scale(size: number): Promise<void> {
    await this.#pool.population.scale(size);
  }

  /** Refuses new calls and resolves when all that were accepted have settled. */
  drain(): Promise<void> {
    return this.#pool.drain();
  }

  /** Replaces every replica by a new one that reads the file again, without losing a call. */
  async reload(): Promise<void> {
    await this.#pool.population.reload();
    this.#pool.events.emit('reloaded', {});
  }

  /** Calls the method on every replica that runs, and gives all results in the order of the places. */
  broadcast(method: string, ...args: unknown[]): Promise<unknown[]> {
    return this.#pool.broadcast(method, args);
  }

  async health(): Promise<HealthStatus> {
    const { population } = this.#pool;
    const { refusal } = population;
    if (refusal && !refusal.halt) return { status: 'unhealthy', checks: [{ name: 'replicas', status: 'fail', message: refusal.error.message }], timestamp: Date.now() };
    const replicas = population.all().filter(({ retiring }) => !retiring);
    const reports = await Promise.all(replicas.map(({ member }) => member.health()));
    const ready = population.ready().length;
    const { target, lost } = population;
    const enough: HealthLevel = ready >= target ? 'healthy' : ready > 0 ? 'degraded' : 'unhealthy';
    const sick = reports.filter(({ status }) => status !== 'healthy').length;
    // One sick replica is no sick pool; all of them are.
    const level = sick > 0 && sick === reports.length ? worst([enough, ...reports.map(({ status }) => status)]) : sick > 0 ? worst([enough, 'degraded']) : enough;
    const own: HealthCheckResult = { name: 'replicas', status: enough === 'healthy' ? 'pass' : enough === 'degraded' ? 'warn' : 'fail', message: `${ready} of ${target} replicas are ready${standingText(replicas, lost)}`, details: { ready, size: target, lost, resting: restingOf(replicas) } };
    return { status: level, checks: [own, ...reports.flatMap(({ checks }, i) => checks.map((check) => ({ ...check, name: `${replicas[i]!.slot}.${check.name}` })))], timestamp: Date.now() };
  }

  async metrics(): Promise<PoolMetrics> {
    const members = this.#pool.population.all().map(({ member }) => member);
    const replicas = this.replicas();
    const all = await Promise.all(members.map((member) => member.metrics()));
    const { population, active, pending, rejected, waits } = this.#pool;
    const sum = (read: (metrics: (typeof all)[number]) => number) => all.reduce((total, metrics) => total + read(metrics), 0);
    return {
      ...this.merged(),
      size: population.size,
      active,
      queued: pending,
      rejected,
      wait: { count: waits.count, mean: waits.count === 0 ? 0 : waits.total / waits.count, max: waits.max },
      cpu: sum(({ cpu }) => cpu),
      memory: sum(({ memory }) => memory),
      replicas: replicas.map((info, i) => {
        const { cpu, rateWindow, memory, requests, errors, deaths, latency } = all[i]!;
        return { ...info, cpu, rateWindow, memory, requests, errors, deaths, latency };
      }),
    };
  }

  /** Requests, errors and latency of all replicas, those that are gone among them. A call that was run again counts for each run. */
  merged(): ReturnType<Meter['snapshot']> {
    return Meter.merge(this.#pool.population.meters());
  }

  /** Ends all replicas: those in flight finish within `timeout` (default: the grace period); what waits is refused. */
  async stop(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    refuseUnknown(options, ['timeout', 'reason'], 'stop');
    const { timeout, reason } = options;
    return this.#pool.stop({ ...(timeout === undefined ? {} : { timeout: parseDuration(timeout, 'timeout') }), ...(reason === undefined ? {} : { reason }) });
  }

  on<E extends keyof PoolEvents>(event: E, listener: (detail: PoolEvents[E]) => void): () => void {
    return this.#pool.events.on(event, listener);
  }
}
