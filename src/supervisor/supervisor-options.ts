// What a supervisor can be told, checked before anything happens: unknown options and senseless values are refused by name.
import { InvalidOptionError } from '../errors.js';
import { parseDuration, type Duration } from '../units.js';
import type { Random } from './backoff.js';
import { systemClock, type Clock } from './clock.js';
import { Emitter, warnAbout, type ErrorSink } from './emitter.js';
import type { Engine, SupervisorEvents } from './engine.js';
import { guardCollector, type AnyCollector } from './metrics.js';
import { refuseUnknown } from './options.js';
import { resolveRestartPolicy, type RestartPolicy, type RestartPolicyOptions } from './restart-options.js';
import type { ProcessUpdate, Syncer, TerminateOptions } from './syncer.js';
import { terminationBackoff, type TerminationRequest } from './termination.js';
import { WorkQueue } from './work-queue.js';

export interface SupervisorOptions<Config> {
  syncer: Syncer<Config>;
  /** Each unit is synced again after this time, ±10 % (default 30 s; `Infinity`: only on updates and exits). */
  resyncInterval?: Duration;
  /** The cap of the backoff `1s · 2^n` of retries (default 5 s). */
  backOffPeriod?: Duration;
  /** Default grace of a termination (default 10 s). */
  gracePeriod?: Duration;
  /** For units that bring none of their own. Without any, a unit is retried for ever at the pace of `backOffPeriod`. */
  restartPolicy?: RestartPolicyOptions | undefined;
  metrics?: AnyCollector;
  /** Hears what listeners and collectors throw (default: a process warning). */
  onError?: ErrorSink;
  /** Whether waiting units keep the program alive (default true). */
  keepAlive?: boolean;
  clock?: Clock;
  random?: Random;
}

const OPTIONS = ['syncer', 'resyncInterval', 'backOffPeriod', 'gracePeriod', 'restartPolicy', 'metrics', 'onError', 'keepAlive', 'clock', 'random'];
const UPDATE_OPTIONS = {
  create: ['id', 'updateType', 'config', 'restartPolicy', 'heals'],
  update: ['id', 'updateType', 'config', 'restartPolicy'],
  sync: ['id', 'updateType', 'config'],
  terminate: ['id', 'updateType', 'config', 'terminateOptions'],
};
const TERMINATE_OPTIONS = ['gracePeriod', 'evict', 'onStatus'];

/** @throws UnknownOptionError, InvalidOptionError */
export function createEngine<Config>(options: SupervisorOptions<Config>, { onDue, onDeadline }: { onDue: (id: string) => void; onDeadline: (id: string) => void }): Engine<Config> {
  refuseUnknown(options, OPTIONS, 'Supervisor');
  if (typeof options.syncer?.syncProcess !== 'function') throw new InvalidOptionError('Supervisor.syncer: a syncer is needed', { option: 'Supervisor.syncer' });
  const { clock = systemClock, onError = warnAbout, keepAlive = true } = options;
  const backOffPeriod = parseDuration(options.backOffPeriod ?? 5000, 'backOffPeriod');
  const metrics = guardCollector(options.metrics ?? {}, onError);
  return {
    clock,
    onError,
    metrics,
    backOffPeriod,
    random: options.random ?? Math.random,
    syncer: options.syncer,
    events: new Emitter<SupervisorEvents>(onError),
    resyncInterval: parseDuration(options.resyncInterval ?? 30_000, 'resyncInterval'),
    gracePeriod: parseDuration(options.gracePeriod ?? 10_000, 'gracePeriod'),
    restartPolicy: options.restartPolicy ? resolveRestartPolicy(options.restartPolicy) : endlessRetry(backOffPeriod),
    queue: new WorkQueue<string>({ clock, unref: !keepAlive, onDue, onDepth: (depth) => metrics.workQueueDepth(depth) }),
    deadlines: new WorkQueue<string>({ clock, unref: !keepAlive, onDue: onDeadline }),
  };
}

export function checkUpdate(update: ProcessUpdate<unknown>): void {
  const known = UPDATE_OPTIONS[update.updateType];
  if (!known) throw new InvalidOptionError(`updateType: ${JSON.stringify(update.updateType)} is not one of create, update, sync, terminate`, { option: 'updateType' });
  refuseUnknown(update, known, 'updateProcess');
}

export function checkTerminateOptions(options: TerminateOptions = {}): TerminationRequest {
  refuseUnknown(options, TERMINATE_OPTIONS, 'terminateOptions');
  const { gracePeriod, evict, onStatus } = options;
  return { evict, onStatus, gracePeriod: gracePeriod === undefined ? undefined : parseDuration(gracePeriod, 'gracePeriod') };
}

/** The Kubelet's way, as a policy: no limit, no breaker. */
const endlessRetry = (backOffPeriod: number): RestartPolicy => ({
  type: 'permanent',
  maxRestarts: Infinity,
  window: 0,
  backoff: terminationBackoff(backOffPeriod),
  stableAfter: 10_000,
  maxFailures: Infinity,
  heals: false,
});
