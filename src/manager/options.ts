// What a user may write, checked once and turned into what the manager works with. An unknown option is refused by name with
// a suggestion; one that cannot work in the chosen isolation is refused, too; nothing is ignored.
// (A schema library would cost more start-up time than a worker thread.)
import { statSync } from 'node:fs';
import { InvalidOptionError, UnsupportedOptionError } from '../errors.js';
import { resolveRestartPolicy, type RestartPolicyOptions } from '../supervisor/restart-options.js';
import { labelOf } from '../runtime/process-file.js';
import { refuseUnknown } from '../supervisor/options.js';
import { NO_SOCKETS, refuseOnWindows } from '../runtime/platform.js';
import type { Overflow } from '../runtime/tap.js';
import { noWebSockets } from '../transport/index.js';
import type { TlsOptions } from '../transport/socket.js';
import type { Isolation, LatencyMode, MonitoringOptions, ResourceLimits, TransportName } from '../types.js';
import { parseBytes, parseDuration, type Bytes, type Duration } from '../units.js';

/** What `createProcessManager` and every `spawn` take; a spawn's own options win. */
export interface CommonOptions {
  /** Default `'worker'`. */
  isolation?: Isolation;
  /** Default `'ipc'`. */
  transport?: TransportName;
  restartPolicy?: RestartPolicyOptions;
  resources?: ResourceLimits;
  monitoring?: MonitoringOptions;
  /** Longest time for a process to become ready. Default 30 s. */
  startupTimeout?: Duration;
  /** Longest time for a process to end by itself, before it is killed. Default 10 s. */
  gracePeriod?: Duration;
  /** Longest wait of a call for a process that can take it. Default 30 s. */
  queueTimeout?: Duration;
  /** Calls that may wait for one process. Default 1,000,000. */
  maxQueue?: number;
  /** Largest call or result. Default `'64MB'`. */
  maxFrame?: Bytes;
  /**
   * `'low'` lets both sides of the link poll for up to 100 µs before they sleep, as long as calls follow each other within 500 µs,
   * on every transport: a call then takes a fraction of the time, and either side up to a whole core while such traffic lasts. Both
   * event loops stay alive, and sparser traffic costs nothing. `'normal'` (default) does so between threads only, for 50 µs, while
   * calls follow each other within 200 µs: that costs no more CPU than the wake-ups it saves. (In process, nothing sleeps.)
   */
  latency?: LatencyMode;
  /** How long the event loop of a process may be silent after a timeout or cancellation before it is killed. Default 1 s. */
  stuckTimeout?: Duration;
  /** `'inherit'` (default) passes what processes print on to this program's output; `'capture'` keeps it to `$handle.logs()`. */
  output?: 'inherit' | 'capture';
  /**
   * What happens while this program's own output takes no more of what a process prints (a terminal that is paused, a slow pipe). `'wait'`
   * (default): nothing more is read, so that the process waits once its pipe is full. `'drop'`: lines are left out, and it is said how many.
   */
  outputOverflow?: Overflow;
  /** Certificates: `tcp` becomes tls, `ws` becomes wss. */
  tls?: TlsOptions;
}

export interface SpawnOptions extends CommonOptions {
  /** Default: the name of `@Process`. */
  name?: string;
  /** Default: the version of `@Process`. */
  version?: string;
  /** Given to `init()`, and by name to tsyringe constructor injection. Any cloneable value. */
  dependencies?: unknown;
  /** Variables over this program's own; undefined takes one away. `worker` and `child`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Working directory. `child` only. */
  cwd?: string;
  /** Arguments in the `process.argv` of the process. `worker` and `child`. */
  argv?: readonly string[];
  /** Flags of Node. All of them for `child`, some for `worker`. */
  execArgv?: readonly string[];
}

export interface ManagerOptions extends CommonOptions {
  /** How this program names itself to processes (`currentCall().caller`). Default `'main'`. */
  name?: string;
  testing?: {
    /** Run every process in this thread, whatever isolation is asked for. */
    useMockSpawner?: boolean;
  };
}

export interface ResolvedOptions {
  /** The path of the process file. */
  readonly file: string;
  /** What ids begin with: the name, or the file's. */
  readonly label: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly dependencies: unknown;
  readonly isolation: Isolation;
  readonly transport: Exclude<TransportName, 'http'>;
  readonly restartPolicy: RestartPolicyOptions;
  readonly maxMemory: number | undefined;
  readonly maxCpu: number | undefined;
  readonly timeout: number | undefined;
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number;
  readonly metrics: boolean;
  readonly tracing: boolean;
  readonly startupTimeout: number;
  readonly gracePeriod: number;
  readonly queueTimeout: number | undefined;
  readonly maxQueue: number | undefined;
  readonly maxFrame: number | undefined;
  readonly latency: LatencyMode;
  readonly stuckTimeout: number;
  readonly inheritOutput: boolean;
  readonly outputOverflow: Overflow;
  readonly tls: TlsOptions | undefined;
  readonly env: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd: string | undefined;
  readonly argv: readonly string[] | undefined;
  readonly execArgv: readonly string[] | undefined;
}

const COMMON = ['isolation', 'transport', 'restartPolicy', 'resources', 'monitoring', 'startupTimeout', 'gracePeriod', 'queueTimeout', 'maxQueue', 'maxFrame', 'latency', 'stuckTimeout', 'output', 'outputOverflow', 'tls'];
/** The options of `spawn`. */
export const SPAWN_OPTIONS: readonly string[] = [...COMMON, 'name', 'version', 'dependencies', 'env', 'cwd', 'argv', 'execArgv'];
const MANAGER_OPTIONS = [...COMMON, 'name', 'testing'];
const RESOURCES = ['maxMemory', 'maxCpu', 'timeout'];
const MONITORING = ['healthCheck', 'metrics', 'tracing'];
const HEALTH_CHECK = ['interval', 'timeout'];
const TLS = ['key', 'cert', 'ca', 'servername'];
const TESTING = ['useMockSpawner'];
const ISOLATIONS: readonly Isolation[] = ['none', 'worker', 'child'];
const TRANSPORTS: readonly TransportName[] = ['ipc', 'unix', 'tcp', 'ws', 'http'];
/** What `latency` may be. */
export const LATENCIES: readonly LatencyMode[] = ['normal', 'low'];
const HEALTH_INTERVAL = 30_000;
const HEALTH_TIMEOUT = 5_000;

/** Checks the manager's own options. */
export function checkManagerOptions(options: ManagerOptions): void {
  object(options, 'createProcessManager');
  refuseUnknown(options, MANAGER_OPTIONS, 'createProcessManager');
  checkCommon(options, 'createProcessManager');
  text(options.name, 'name');
  if (options.testing !== undefined) {
    object(options.testing, 'testing');
    refuseUnknown(options.testing, TESTING, 'testing');
    flag(options.testing.useMockSpawner, 'testing.useMockSpawner');
  }
}

/** Checks the options of one spawn and joins them with the manager's. */
export function resolveSpawnOptions(own: SpawnOptions, manager: ManagerOptions, file: string): ResolvedOptions {
  object(own, 'spawn');
  refuseUnknown(own, SPAWN_OPTIONS, 'spawn');
  checkCommon(own, 'spawn');
  text(own.name, 'name');
  text(own.version, 'version');
  text(own.cwd, 'cwd');
  if (own.env !== undefined) for (const [name, value] of Object.entries(object(own.env, 'env'))) if (value !== undefined && typeof value !== 'string') throw invalid(`env.${name}`, value, 'a text');
  list(own.argv, 'argv');
  list(own.execArgv, 'execArgv');
  const isolation = manager.testing?.useMockSpawner ? 'none' : (own.isolation ?? manager.isolation ?? 'worker');
  const asked = own.transport ?? manager.transport ?? 'ipc';
  const transport = asked === 'http' ? 'ws' : asked;
  const resources: ResourceLimits = { ...manager.resources, ...own.resources };
  const monitoring: MonitoringOptions = { ...manager.monitoring, ...own.monitoring };
  const tls = own.tls ?? manager.tls;
  refuseImpossible(own, isolation, transport, resources, tls);
  // Node itself would say that it cannot find node.
  if (own.cwd !== undefined && !statSync(own.cwd, { throwIfNoEntry: false })?.isDirectory()) throw invalid('cwd', own.cwd, 'a folder that is there');
  const health = monitoring.healthCheck ?? false;
  const pick = <K extends keyof CommonOptions>(key: K): CommonOptions[K] => own[key] ?? manager[key];
  const duration = (key: 'startupTimeout' | 'gracePeriod' | 'queueTimeout' | 'stuckTimeout'): number | undefined => {
    const value = pick(key);
    return value === undefined ? undefined : parseDuration(value, key);
  };
  return {
    file,
    label: own.name ?? labelOf(file),
    name: own.name,
    version: own.version,
    dependencies: own.dependencies,
    isolation,
    transport,
    restartPolicy: { ...manager.restartPolicy, ...own.restartPolicy },
    maxMemory: resources.maxMemory === undefined ? undefined : parseBytes(resources.maxMemory, 'resources.maxMemory'),
    maxCpu: resources.maxCpu,
    timeout: resources.timeout === undefined ? undefined : parseDuration(resources.timeout, 'resources.timeout'),
    healthInterval: health === false ? undefined : parseDuration((health === true ? undefined : health.interval) ?? HEALTH_INTERVAL, 'monitoring.healthCheck.interval'),
    healthTimeout: parseDuration((typeof health === 'object' ? health.timeout : undefined) ?? HEALTH_TIMEOUT, 'monitoring.healthCheck.timeout'),
    metrics: monitoring.metrics ?? true,
    tracing: monitoring.tracing ?? false,
    startupTimeout: duration('startupTimeout') ?? 30_000,
    gracePeriod: duration('gracePeriod') ?? 10_000,
    queueTimeout: duration('queueTimeout'),
    maxQueue: pick('maxQueue'),
    maxFrame: pick('maxFrame') === undefined ? undefined : parseBytes(pick('maxFrame')!, 'maxFrame'),
    latency: pick('latency') ?? 'normal',
    stuckTimeout: duration('stuckTimeout') ?? 1_000,
    inheritOutput: (pick('output') ?? 'inherit') === 'inherit',
    outputOverflow: pick('outputOverflow') ?? 'wait',
    tls,
    env: own.env,
    cwd: own.cwd,
    argv: own.argv,
    execArgv: own.execArgv,
  };
}

function checkCommon(options: CommonOptions, at: string): void {
  oneOf(options.isolation, ISOLATIONS, 'isolation');
  oneOf(options.transport, TRANSPORTS, 'transport');
  oneOf(options.latency, LATENCIES, 'latency');
  oneOf(options.output, ['inherit', 'capture'], 'output');
  oneOf(options.outputOverflow, ['wait', 'drop'], 'outputOverflow');
  if (options.restartPolicy !== undefined) resolveRestartPolicy(object(options.restartPolicy, `${at}.restartPolicy`));
  for (const key of ['startupTimeout', 'gracePeriod', 'queueTimeout', 'stuckTimeout'] as const) if (options[key] !== undefined) parseDuration(options[key], key);
  if (options.maxFrame !== undefined) parseBytes(options.maxFrame, 'maxFrame');
  if (options.maxQueue !== undefined && !(Number.isInteger(options.maxQueue) && options.maxQueue >= 0)) throw invalid('maxQueue', options.maxQueue, 'a whole number of calls');
  const { resources, monitoring, tls } = options;
  if (resources !== undefined) {
    refuseUnknown(object(resources, 'resources'), RESOURCES, 'resources');
    if (resources.maxMemory !== undefined) parseBytes(resources.maxMemory, 'resources.maxMemory');
    if (resources.timeout !== undefined) parseDuration(resources.timeout, 'resources.timeout');
    if (resources.maxCpu !== undefined && !(typeof resources.maxCpu === 'number' && resources.maxCpu > 0)) throw invalid('resources.maxCpu', resources.maxCpu, 'a percentage of one core, such as 80');
  }
  if (monitoring !== undefined) {
    refuseUnknown(object(monitoring, 'monitoring'), MONITORING, 'monitoring');
    flag(monitoring.metrics, 'monitoring.metrics');
    flag(monitoring.tracing, 'monitoring.tracing');
    const { healthCheck } = monitoring;
    if (typeof healthCheck === 'object') {
      refuseUnknown(object(healthCheck, 'monitoring.healthCheck'), HEALTH_CHECK, 'monitoring.healthCheck');
      for (const key of ['interval', 'timeout'] as const) {
        const value = healthCheck[key];
        if (value !== undefined && parseDuration(value, `monitoring.healthCheck.${key}`) <= 0) throw invalid(`monitoring.healthCheck.${key}`, value, 'more than nothing');
      }
    } else flag(healthCheck, 'monitoring.healthCheck');
  }
  if (tls !== undefined) refuseUnknown(object(tls, 'tls'), TLS, 'tls');
}

function refuseImpossible(own: SpawnOptions, isolation: Isolation, transport: string, resources: ResourceLimits, tls: TlsOptions | undefined): void {
  const refuse = (option: string, why: string) => {
    throw new UnsupportedOptionError(`${option} cannot work with isolation '${isolation}' and transport '${transport}': ${why}`, { option });
  };
  if (isolation === 'none') {
    if (own.env !== undefined) refuse('env', "the process shares this program's environment; use 'worker' or 'child'");
    if (own.argv !== undefined) refuse('argv', "the process shares this program's arguments; use 'worker' or 'child'");
    if (own.outputOverflow !== undefined) refuse('outputOverflow', "it prints as this program does; use 'worker' or 'child'");
    if (own.execArgv !== undefined) refuse('execArgv', "Node is running already; use 'worker' or 'child'");
    if (resources.maxMemory !== undefined) refuse('resources.maxMemory', "the process shares this program's heap; use 'worker' or 'child'");
  }
  if (own.cwd !== undefined && isolation !== 'child') refuse('cwd', "a working directory belongs to a whole operating system process; use 'child'");
  const noWeb = transport === 'ws' ? noWebSockets() : undefined;
  if (noWeb !== undefined) refuse('transport', noWeb);
  if (transport === 'unix') refuseOnWindows('transport', NO_SOCKETS, "use 'ipc', 'tcp' or 'ws'");
  if (tls !== undefined && transport !== 'tcp' && transport !== 'ws') refuse('tls', "certificates need transport 'tcp' or 'ws'");
}

const invalid = (option: string, value: unknown, expected: string): InvalidOptionError =>
  new InvalidOptionError(`${option}: ${typeof value === 'string' ? JSON.stringify(value) : String(value)} is not ${expected}`, { option });

function object<T>(value: T, option: string): T & object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(option, value, 'an object of options');
  return value;
}

/** @throws InvalidOptionError */
export function oneOf(value: unknown, known: readonly string[], option: string): void {
  if (value !== undefined && !known.includes(value as string)) throw invalid(option, value, `one of ${known.map((name) => `'${name}'`).join(', ')}`);
}

function flag(value: unknown, option: string): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalid(option, value, 'true or false');
}

function text(value: unknown, option: string): void {
  if (value !== undefined && (typeof value !== 'string' || value === '')) throw invalid(option, value, 'a text that is not empty');
}

function list(value: unknown, option: string): void {
  if (value !== undefined && !(Array.isArray(value) && value.every((item) => typeof item === 'string'))) throw invalid(option, value, 'a list of texts');
}
