// The public surface of Mimas. No logic.
export { HealthCheck, OnShutdown, Process, Public, type HealthCheckOptions, type ProcessOptions, type PublicOptions } from './decorators/index.js';
export * from './errors.js';
export { currentCall, type CurrentCall } from './rpc/context.js';
export { keep } from './rpc/references.js';
export { transfer } from './rpc/transfer.js';
export { registerErrorClass } from './rpc/wire-error.js';
export type { ShutdownContext } from './runtime/protocol.js';
export { createProcessManager, ProcessManager, type ManagerEvents, type ProcessRef, type RemotePool } from './manager/process-manager.js';
export type { ConnectionHandle, ConnectProcessOptions } from './manager/connection.js';
export type { CommonOptions, ManagerOptions, SpawnOptions } from './manager/options.js';
export type { PoolSpawnOptions } from './manager/pools.js';
export type { PoolOptions } from './pool/options.js';
export type { PoolEvents, PoolHandle, PoolMetrics, PoolState, ReplicaInfo } from './pool/pool-handle.js';
export type { CallToPlace, Candidate, StrategyFunction, StrategyName } from './pool/strategy.js';
export type { RestartPolicyOptions } from './supervisor/restart-options.js';
export type { TlsOptions } from './transport/socket.js';
export type * from './types.js';
export type { Bytes, Duration } from './units.js';
