// Control of a pool: what stands under `pool.$handle`.
import { Meter } from '../rpc/meter.js';
import { worst } from '../runtime/health-checks.js';
import type { HealthCheckResult, HealthStatus, MethodMetrics, ProcessStatus } from '../types.js';
import { parseDuration, type Duration } from '../units.js';
import type { BreakerState } from './breaker.js';
import type { Pool } from './pool.js';

export type PoolState = 'running' | 'draining' | 'drained' | 'stopped';

export interface PoolEvents {
  scaled: { from: number; to: number; reason: string };
  'replica-started': { id: string; slot: number };
  'replica-stopped': { id: string; slot: number };
  'replica-crashed': { id: string; slot: number };
  'replica-recycled': { id: string; slot: number; why: 'calls' | 'age' | 'memory' };
  /** It could not be started, or is given up. */
  'replica-failed': { slot: number; error: Error };
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
  /** Milliseconds that calls waited for a place. */
  readonly wait: { readonly count: number; readonly mean: number; readonly max: number };
  /** Sums over the replicas. */
  readonly cpu: number;
  readonly memory: number;
  readonly methods: Record<string, MethodMetrics>;
  readonly replicas: readonly (ReplicaInfo & MethodMetrics & { readonly cpu: number; readonly memory: number })[];
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
  /** Replicas, those that are restarting among them. */
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

  /** Sets the number of replicas; resolves when it is reached. Those that leave finish their calls first. */
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
    return Promise.all(this.#pool.population.ready().map(({ member }) => member.invoke(method, args, {})));
  }

  async health(): Promise<HealthStatus> {
    const { population, options } = this.#pool;
    if (population.failure) return { status: 'unhealthy', checks: [{ name: 'replicas', status: 'fail', message: population.failure.message }], timestamp: Date.now() };
    const replicas = population.all();
    const reports = await Promise.all(replicas.map(({ member }) => member.health()));
    const ready = population.ready().length;
    const wanted = Math.max(population.target, Math.min(options.min, 1));
    const level = ready === 0 && wanted > 0 ? 'unhealthy' : ready < wanted || reports.some(({ status }) => status !== 'healthy') ? 'degraded' : 'healthy';
    const own: HealthCheckResult = { name: 'replicas', status: level === 'healthy' ? 'pass' : level === 'degraded' ? 'warn' : 'fail', message: `${ready} of ${population.target} replicas are ready`, details: { ready, size: population.target } };
    const all = replicas.length > 0 && reports.every(({ status }) => status === 'unhealthy') ? worst(reports.map(({ status }) => status)) : level;
    return { status: all, checks: [own, ...reports.flatMap(({ checks }, i) => checks.map((check) => ({ ...check, name: `${replicas[i]!.slot}.${check.name}` })))], timestamp: Date.now() };
  }

  async metrics(): Promise<PoolMetrics> {
    const { population, active, pending, waits } = this.#pool;
    const replicas = this.replicas();
    const all = await Promise.all(population.all().map(({ member }) => member.metrics()));
    const sum = (read: (metrics: (typeof all)[number]) => number) => all.reduce((total, metrics) => total + read(metrics), 0);
    return {
      ...this.merged(),
      size: population.size,
      active,
      queued: pending,
      wait: { count: waits.count, mean: waits.count === 0 ? 0 : waits.total / waits.count, max: waits.max },
      cpu: sum(({ cpu }) => cpu),
      memory: sum(({ memory }) => memory),
      replicas: replicas.map((info, i) => {
        const { cpu, memory, requests, errors, latency } = all[i]!;
        return { ...info, cpu, memory, requests, errors, latency };
      }),
    };
  }

  /** Requests, errors and latency of all replicas, those that are gone among them. */
  merged(): ReturnType<Meter['snapshot']> {
    return Meter.merge(this.#pool.population.meters());
  }

  /** Ends all replicas: those in flight finish within `timeout` (default: the grace period); what waits is refused. */
  stop(options: { timeout?: Duration; reason?: string } = {}): Promise<void> {
    const { timeout, reason } = options;
    return this.#pool.stop({ ...(timeout === undefined ? {} : { timeout: parseDuration(timeout, 'timeout') }), ...(reason === undefined ? {} : { reason }) });
  }

  on<E extends keyof PoolEvents>(event: E, listener: (detail: PoolEvents[E]) => void): () => void {
    return this.#pool.events.on(event, listener);
  }
}
