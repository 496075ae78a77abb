// From the options of a process to what the place is told in which it is to live.
import type { LineListener } from '../runtime/output.js';
import type { LaunchOptions } from '../runtime/runtime.js';
import type { ResolvedOptions } from './options.js';

export const launchOptionsOf = (options: ResolvedOptions, onLine: LineListener): LaunchOptions => ({
  name: options.name ?? options.label,
  env: options.env,
  cwd: options.cwd,
  argv: options.argv,
  execArgv: options.execArgv,
  maxMemory: options.maxMemory,
  maxCpu: options.maxCpu,
  maxFrame: options.maxFrame,
  latency: options.latency,
  inheritOutput: options.inheritOutput,
  overflow: options.outputOverflow,
  onLine,
});
