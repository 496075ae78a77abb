// From what was written (and checked) to what the runner works with: short forms spelled out, defaults filled in, paths made absolute.
import { isAbsolute, resolve } from 'node:path';
import { parseBytes, parseDuration } from '../units.js';
import type { Check, Component, Condition, ContainerOverrides, Dependency, HealthCheck, Kind, Limits, Port, Restart, RestartName, Volume, Watch } from './model.js';

/** A value as YAML gave it. Its shape has been checked along schema.ts. */
export type Written = any;

export interface Surroundings {
  readonly folder: string;
  /** `spec.env`. */
  readonly env: Readonly<Record<string, string>>;
  envFile(path: string): Readonly<Record<string, string>>;
}

const DEFAULT_GRACE = 10_000;
const time = (value: Written, fallback: number): number => (value === undefined || value === null ? fallback : parseDuration(value));
const texts = (value: Written): Record<string, string> => Object.fromEntries(Object.entries(value ?? {}).map(([key, one]) => [key, one === null ? '' : String(one)]));
const listOf = (value: Written): Written[] => (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]);

export function normalizeComponent(kind: Kind, written: Written, { folder, env, envFile }: Surroundings): Component {
  const path = (value: string | undefined) => (value === undefined ? undefined : isAbsolute(value) ? value : resolve(folder, value));
  const healthPort: number | undefined = written.health_port;
  const restart = restartOf(written.restart_policy);
  return {
    id: written.id,
    kind,
    name: written.name,
    description: written.description,
    image: written.image,
    pull: written.pull ?? 'missing',
    binary: path(written.binary),
    command: commandOf(written.command),
    args: listOf(written.args).map(String),
    process: path(written.process),
    workingDir: written.working_dir,
    inputs: listOf(written.inputs),
    inputEventTypes: listOf(written.input_event_types),
    outputEventTypes: listOf(written.output_event_types),
    env: { ...env, ...configEnv(written.config), ...Object.assign({}, ...listOf(written.env_file).map((one: string) => envFile(path(one)!))), ...texts(written.env) },
    ports: listOf(written.ports).map(portOf),
    healthPort,
    healthCheck: healthCheckOf(written.health_check, healthPort, restart),
    dependsOn: dependenciesOf(written.depends_on),
    restart,
    successExitCodes: [0, ...listOf(written.success_exit_codes)],
    stop: { signal: written.stop?.signal ?? 'SIGTERM', gracePeriod: time(written.stop?.grace_period, DEFAULT_GRACE) },
    replicas: written.replicas ?? 1,
    limits: limitsOf(written.resources),
    volumes: listOf(written.volumes).map((one) => volumeOf(one, folder)),
    watch: watchOf(written.watch, folder),
    container: containerOf(written.container),
  };
}

/** A text is for the shell, a list is run as it is. */
function commandOf(value: Written): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? ['/bin/sh', '-c', value] : value.map(String);
}

const configEnv = (config: Written): Record<string, string> =>
  Object.fromEntries(Object.entries(config ?? {}).map(([key, value]) => [key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_').toUpperCase(), typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')]));

function portOf(value: Written): Port {
  const entry = typeof value === 'number' ? { containerPort: value } : value;
  const port: number = entry.containerPort ?? entry.port;
  return { name: entry.name, port, hostPort: entry.hostPort ?? port, hostIp: entry.host_ip ?? '127.0.0.1', protocol: (entry.protocol ?? 'tcp').toLowerCase(), env: entry.env };
}

function healthCheckOf(value: Written, healthPort: number | undefined, restart: Restart): HealthCheck | undefined {
  if (value === undefined || value === null) {
    if (healthPort === undefined) return undefined;
    value = '/health';
  }
  const entry = typeof value === 'string' ? { http: value } : value;
  return {
    check: checkOf(entry, healthPort),
    interval: time(entry.interval, 5_000),
    timeout: time(entry.timeout, 2_000),
    startTimeout: time(entry.start_timeout, 30_000),
    failureThreshold: entry.failure_threshold ?? 3,
    onUnhealthy: entry.on_unhealthy ?? (restart.condition === 'no' ? 'report' : 'restart'),
  };
}

function checkOf(entry: Written, healthPort: number | undefined): Check {
  if (entry.log !== undefined) return { kind: 'log', pattern: entry.log };
  if (entry.exec !== undefined) return { kind: 'exec', command: commandOf(entry.exec.command ?? entry.exec)! };
  if (entry.tcp !== undefined) return { kind: 'tcp', host: entry.tcp.host ?? 'localhost', port: entry.tcp.port ?? entry.tcp };
  if (typeof entry.http === 'string') {
    if (entry.http.startsWith('/')) return { kind: 'http', host: 'localhost', port: healthPort ?? '', path: entry.http, status: undefined };
    const url = new URL(entry.http);
    return { kind: 'http', host: url.hostname, port: Number(url.port || 80), path: `${url.pathname}${url.search}`, status: undefined };
  }
  const { port = healthPort ?? '', path = '/health', host = 'localhost', status } = entry.http;
  return { kind: 'http', host, port, path, status };
}

function dependenciesOf(value: Written): Dependency[] {
  if (Array.isArray(value)) return value.map((id) => ({ id, condition: undefined }));
  return Object.entries(value ?? {}).map(([id, one]: [string, Written]) => ({ id, condition: (typeof one === 'string' ? one : one.condition) as Condition }));
}

function restartOf(value: Written): Restart {
  const entry = typeof value === 'string' ? { condition: value } : (value ?? {});
  const condition: RestartName = entry.condition ?? 'on-failure';
  return { condition, maxRestarts: entry.max_restarts ?? 5, window: time(entry.window, 60_000), backoff: { initial: time(entry.backoff?.initial, 200), max: time(entry.backoff?.max, 30_000) } };
}

function limitsOf(value: Written): Limits | undefined {
  const cpu: Written = value?.limits?.cpu ?? value?.cpu;
  const memory: Written = value?.limits?.memory ?? value?.memory;
  if (cpu === undefined && memory === undefined) return undefined;
  return { cpu: cpu === undefined ? undefined : typeof cpu === 'number' ? cpu : cpu.endsWith('m') ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu), memory: memory === undefined ? undefined : parseBytes(memory) };
}

function volumeOf(value: Written, folder: string): Volume {
  const entry = typeof value === 'string' ? textVolume(value) : value;
  const target: string = entry.container_path ?? entry.mountPath ?? '';
  const bind = entry.host_path !== undefined;
  return { source: bind ? resolve(folder, entry.host_path) : (entry.name ?? ''), target, readOnly: entry.readonly ?? false, bind };
}

function textVolume(value: string): Written {
  const [source = '', target = '', mode = ''] = value.split(':');
  const from = /^[./~]/.test(source) ? { host_path: source } : { name: source };
  return { ...from, container_path: target, readonly: mode === 'ro' };
}

function watchOf(value: Written, folder: string): Watch | undefined {
  if (value === undefined || value === null) return undefined;
  const entry = Array.isArray(value) ? { paths: value } : value;
  return { paths: entry.paths.map((one: string) => resolve(folder, one)), ignore: entry.ignore ?? ['node_modules', '.git'], debounce: time(entry.debounce, 300) };
}

const containerOf = (value: Written): ContainerOverrides => ({
  command: commandOf(value?.command),
  args: value?.args?.map(String),
  workingDir: value?.working_dir,
  env: texts(value?.env),
  limits: limitsOf(value?.resources),
});
