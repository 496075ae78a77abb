// The names of the interfaces in the Titan PM document that this library was asked to implement. Types only.
import type { ManagerOptions, SpawnOptions } from './manager/options.js';
import type { ProcessManager } from './manager/process-manager.js';
import type { HealthCheckResult, HealthStatus, Isolation, MonitoringOptions, ProcessHandle, ProcessInfo, ProcessMetrics, Remote, ResourceLimits, RestartPolicy, TransportName } from './types.js';

export type IProcessManagerConfig = ManagerOptions;
export type IProcessManager = ProcessManager;
export type IProcessOptions = SpawnOptions;
export type IProcessInfo = ProcessInfo;
export type IProcessMetrics = ProcessMetrics;
export type IHealthStatus = HealthStatus;
export type IHealthCheck = HealthCheckResult;
export type IRestartPolicy = RestartPolicy;
export type IResourceLimits = ResourceLimits;
export type IMonitoringConfig = MonitoringOptions;
export type IWorkerHandle = ProcessHandle;
export type ProcessIsolation = Isolation;
export type ProcessTransport = TransportName;
export type ServiceProxy<T> = Remote<T>;
