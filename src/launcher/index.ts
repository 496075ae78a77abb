// The public surface of `mimas/launcher`. No logic.
import './unbundled.js';
export { createLauncher, Launcher, type LaunchRequest, type TerminateRequest } from './launcher.js';
export { LauncherBuilder, quickStart } from './builder.js';
export { PRESETS, type LauncherOptions } from './options.js';
export { getErrorCode, getSuggestion, isErrorCode, LAUNCHER_ERROR_CODES, LauncherError, type LauncherErrorCode, type LauncherErrorContext } from './errors.js';
export { processIdOf, type IsolationLevel, type LaunchKey } from './ids.js';
export type { HealthReport, ProcessFilter, ProcessInfo, ProcessState } from './report.js';
export type { LauncherServer, ServeOptions } from './server.js';
export { findLauncher, type FoundLauncher } from './token-store.js';
export type { ServerTls } from './server-side.js';
export type { JsonMetrics } from './metrics.js';
export { readManifest, type BackendSlot, type BadManifest, type HealthCheckSpec, type Manifest, type Resources } from './manifest.js';
export type { ManifestProblem } from './manifest-reader.js';
export { discoverPatterns, type Discovery } from './registry.js';
