// The public surface of `mimas/supervisor`. No logic.
export { Supervisor } from './supervisor.js';
export type { SupervisorOptions } from './supervisor-options.js';
export type { SupervisorEvents } from './engine.js';
export type { ErrorSink } from './emitter.js';
export type {
  ExitReport, ProcessUpdate, SyncCause, SyncContext, SyncResult, Syncer, TerminateOptions, TerminatedContext, TerminatingContext, UpdateType,
} from './syncer.js';
export type { EndReason, ProcessStatus } from './status.js';
export { PHASES, TRANSITIONS, type Phase } from './lifecycle.js';
export type { HealthReport, ProcessHealth } from './health.js';
export type { AnyCollector, ForgetfulCollector, MetricsCollector, ProcessErrorType } from './metrics.js';
export { createPrometheusCollector, type PrometheusCollector, type PrometheusOptions } from './prometheus.js';
export { Group } from './group.js';
export type { GroupEvents, GroupOptions, GroupState, GroupStrategy } from './group-options.js';
export type { ChildContext, ChildState, ChildStatus, GroupChild } from './group-child.js';
export { decideRestart, RestartTracker, type ExitEvent, type RestartDecision, type RestartHistory, type StopReason } from './restart-policy.js';
export { DEFAULT_RESTART_POLICY, resolveRestartPolicy, type RestartPolicy, type RestartPolicyOptions, type RestartType } from './restart-options.js';
export { backoffDelay, jitter, plainDelay, type Backoff, type BackoffType, type Random } from './backoff.js';
export { systemClock, type Clock, type Timer, type TimerOptions } from './clock.js';
export { WorkQueue, type WorkQueueOptions } from './work-queue.js';
