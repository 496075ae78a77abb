// What a launcher can be told, checked once, with two presets. An unknown option is refused by name.
import { closest } from '../errors.js';
import { printableLines } from '../printable.js';
import { systemClock, type Clock } from '../supervisor/clock.js';
import { formatDuration, parseDuration, type Duration } from '../units.js';
import { LauncherError } from './errors.js';
import { checkLevel, type IsolationLevel } from './ids.js';
import { parseCpu, parseMemory, type Enforcement, type Resources } from './manifest.js';
import { DEFAULT_RANGE, type PortRange } from './ports.js';

export interface LauncherOptions {
  /** `development`: resync 5 s, backoff 1 s. `production`: resync 30 s, backoff 5 s, 2 cores and 1 GiB a process. Other options win. */
  preset?: 'development' | 'production' | undefined;
  /** Default `./patterns`. */
  patternsDir?: string | undefined;
  /** For patterns whose manifest names no level, when the request names none. Default `namespace`. */
  defaultIsolation?: IsolationLevel | undefined;
  /** A process whose health check has a longer interval is looked at this often all the same. Default 30 s, at least 1 s. */
  resyncInterval?: Duration | undefined;
  /** The longest wait before a restart. Default 5 s. */
  backOffPeriod?: Duration | undefined;
  /** From SIGTERM to SIGKILL, when the request names none. Default 10 s. */
  gracePeriod?: Duration | undefined;
  /** Up for this long forgives earlier failures. Default 10 s. */
  stableAfter?: Duration | undefined;
  /** Cores, for patterns whose manifest names no limit. */
  cpuLimit?: number | string | undefined;
  /** Such as `'1Gi'`, for patterns whose manifest names no limit. */
  memoryLimit?: number | string | undefined;
  /** Of those two. Default `best-effort`. */
  enforce?: Enforcement | undefined;
  /** Most processes at a time. Default: no limit. */
  maxProcesses?: number | undefined;
  /** Most starts at a time, restarts included; the others wait. Default: no limit. */
  maxConcurrentStarts?: number | undefined;
  /** Where ports are looked for. Default from 50051. */
  portRange?: PortRange | undefined;
  /** Remembers processes for a successor; one launcher a folder. Without it nothing is remembered. */
  stateDir?: string | undefined;
  /** What becomes of processes that a predecessor left in `stateDir`. `adopt` also lets executables of this launcher survive its death. Default `stop`. */
  leftovers?: 'stop' | 'adopt' | undefined;
  /** How often orphans of this launcher are looked for. Default 60 s, at least 1 s. */
  orphanInterval?: Duration | undefined;
  /** Reload when a manifest changes. Default false. */
  watch?: boolean | undefined;
  /** Hears what the launcher does. Default: stderr, with the time in front. */
  log?: ((line: string) => void) | undefined;
  /** Hears what processes print. Default: `log`, with the id in front. */
  onOutput?: ((line: { id: string; line: string; stream: 'stdout' | 'stderr' }) => void) | undefined;
  clock?: Clock | undefined;
}

export interface ResolvedLauncherOptions {
  readonly patternsDir: string;
  readonly defaultIsolation: IsolationLevel;
  readonly resyncInterval: number;
  readonly backOffPeriod: number;
  readonly gracePeriod: number;
  readonly stableAfter: number;
  readonly resources: Resources | undefined;
  readonly maxProcesses: number;
  readonly maxConcurrentStarts: number;
  readonly portRange: PortRange;
  readonly stateDir: string | undefined;
  readonly leftovers: 'stop' | 'adopt';
  readonly orphanInterval: number;
  readonly watch: boolean;
  readonly log: (line: string) => void;
  readonly onOutput: (line: { id: string; line: string; stream: 'stdout' | 'stderr' }) => void;
  readonly clock: Clock;
}

export const LAUNCHER_OPTIONS: readonly (keyof LauncherOptions)[] = [
  'preset', 'patternsDir', 'defaultIsolation', 'resyncInterval', 'backOffPeriod', 'gracePeriod', 'stableAfter', 'cpuLimit', 'memoryLimit', 'enforce',
  'maxProcesses', 'maxConcurrentStarts', 'portRange', 'stateDir', 'leftovers', 'orphanInterval', 'watch', 'log', 'onOutput', 'clock',
];

export const SERVE_OPTIONS = ['host', 'grpcPort', 'metricsPort', 'token', 'tls'];

export const PRESETS = {
  development: { resyncInterval: '5s', backOffPeriod: '1s', defaultIsolation: 'namespace' },
  production: { resyncInterval: '30s', backOffPeriod: '5s', defaultIsolation: 'namespace', cpuLimit: 2, memoryLimit: '1Gi' },
} as const satisfies Record<string, LauncherOptions>;

/** @throws LauncherError INVALID_CONFIGURATION, INVALID_ISOLATION_LEVEL */
export function resolveLauncherOptions(given: LauncherOptions = {}): ResolvedLauncherOptions {
  for (const name of SERVE_OPTIONS) if (name in given) throw invalid(`unknown option '${name}'; it belongs to launcher.serve()`, name);
  refuseUnknown(given, LAUNCHER_OPTIONS);
  const { preset } = given;
  if (preset !== undefined && !(preset in PRESETS)) throw invalid(`preset must be development or production, got ${String(preset)}`, 'preset');
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as LauncherOptions;
  const options: LauncherOptions = { ...(preset && PRESETS[preset]), ...own };
  const { patternsDir = './patterns', maxProcesses = Infinity, maxConcurrentStarts = Infinity, portRange = DEFAULT_RANGE, leftovers = 'stop', stateDir, watch = false } = options;
  if (typeof patternsDir !== 'string' || patternsDir === '') throw invalid('patterns directory cannot be empty', 'patternsDir');
  const resyncInterval = duration(options.resyncInterval ?? '30s', 'resyncInterval');
  if (resyncInterval < 1000) throw invalid(`resync interval must be at least 1 second, got ${formatDuration(resyncInterval)}`, 'resyncInterval');
  if (typeof options.backOffPeriod === 'number' && options.backOffPeriod < 0) throw invalid(`backoff period cannot be negative, got ${options.backOffPeriod}`, 'backOffPeriod');
  for (const [name, value] of Object.entries({ maxProcesses, maxConcurrentStarts })) {
    if (value !== Infinity && !(Number.isInteger(value) && value >= 1)) throw invalid(`${name} must be a whole number of at least 1, got ${value}`, name);
  }
  const { from, to } = portRange;
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 1 && to <= 65535 && from <= to)) throw invalid(`portRange must lie within 1 and 65535, got ${from} to ${to}`, 'portRange');
  if (leftovers !== 'stop' && leftovers !== 'adopt') throw invalid(`leftovers must be stop or adopt, got ${String(leftovers)}`, 'leftovers');
  if (leftovers === 'adopt' && stateDir === undefined) throw invalid('leftovers: adopt needs a stateDir, where processes are remembered', 'leftovers');
  if (stateDir !== undefined && (typeof stateDir !== 'string' || stateDir === '')) throw invalid('state directory cannot be empty', 'stateDir');
  if (typeof watch !== 'boolean') throw invalid(`watch must be true or false, got ${String(watch)}`, 'watch');
  for (const name of ['log', 'onOutput'] as const) if (options[name] !== undefined && typeof options[name] !== 'function') throw invalid(`${name} must be a function`, name);
  const orphanInterval = duration(options.orphanInterval ?? '60s', 'orphanInterval');
  if (orphanInterval < 1000) throw invalid(`orphan interval must be at least 1 second, got ${formatDuration(orphanInterval)}`, 'orphanInterval');
  const log = options.log ?? ((line: string) => void process.stderr.write(`${timestamp()} ${printableLines(line)}\n`));
  return {
    patternsDir,
    defaultIsolation: checkLevel(options.defaultIsolation ?? 'namespace'),
    resyncInterval,
    backOffPeriod: duration(options.backOffPeriod ?? '5s', 'backOffPeriod'),
    gracePeriod: duration(options.gracePeriod ?? '10s', 'gracePeriod'),
    stableAfter: duration(options.stableAfter ?? '10s', 'stableAfter'),
    resources: resources(options),
    maxProcesses,
    maxConcurrentStarts,
    portRange,
    stateDir,
    leftovers,
    orphanInterval,
    watch,
    log,
    onOutput: options.onOutput ?? (({ id, line }) => log(`[${id}] ${line}`)),
    clock: options.clock ?? systemClock,
  };
}

function resources({ cpuLimit, memoryLimit, enforce = 'best-effort' }: LauncherOptions): Resources | undefined {
  if (enforce !== 'strict' && enforce !== 'best-effort') throw invalid(`enforce must be strict or best-effort, got ${String(enforce)}`, 'enforce');
  if (memoryLimit === '') throw invalid('memory limit cannot be empty', 'memoryLimit');
  if (cpuLimit === undefined && memoryLimit === undefined) return undefined;
  return {
    cpuLimit: cpuLimit === undefined ? undefined : checked('cpuLimit', () => parseCpu(cpuLimit, 'cpuLimit'), `CPU limit must be positive, got ${cpuLimit}`),
    memoryLimit: memoryLimit === undefined ? undefined : checked('memoryLimit', () => parseMemory(memoryLimit, 'memoryLimit')),
    enforce,
  };
}

function checked<T>(option: string, read: () => T, message?: string): T {
  try {
    return read();
  } catch (error) {
    throw invalid(message ?? (error as Error).message, option, error);
  }
}

/** Milliseconds. @throws LauncherError INVALID_CONFIGURATION */
export const duration = (value: Duration, option: string): number => checked(option, () => parseDuration(value, option));

/** Nothing that somebody wrote is ignored. @throws LauncherError INVALID_CONFIGURATION */
export function refuseUnknown(given: object, known: readonly string[], what = ''): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = closest(name, known);
    throw invalid(`${what}unknown option '${name}'${near ? `; did you mean '${near}'?` : ''}`, name);
  }
}

const invalid = (message: string, option: string, cause?: unknown) => new LauncherError('INVALID_CONFIGURATION', message, { context: { option }, cause });

/** `2025-10-15 14:32:10`, local time. */
function timestamp(date = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
