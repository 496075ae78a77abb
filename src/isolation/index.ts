// The public surface of `mimas/isolation`. No logic.
export { IsolationManager, type IsolatedProcess, type IsolationManagerOptions } from './isolation-manager.js';
export { Bulkhead, type IsolationEvents } from './bulkhead.js';
export type { BulkheadOptions } from './options.js';
export type { IsolationBackend, StartContext, StopContext } from './backend.js';
export type { IsolationState, IsolationStatus, IsolationStopReason } from './entry.js';
export { ISOLATION_LEVELS, processIdOf, type IsolationKey, type IsolationLevel } from './key.js';
