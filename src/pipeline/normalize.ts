// From what was written (and checked) to what the runner works with: short forms spelled out, defaults filled in, paths made absolute.
import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import type { TlsLook } from '../runtime/probes.js';
import { parseBytes, parseDuration } from '../units.js';
import type { Check, Component, Condition, ContainerOverrides, Dependency, HealthCheck, Kind, Limits, Port, Restart, RestartName, Volume, Watch } from './model.js';
import type { Written } from './written.js';

export interface Surroundings {
  readonly folder: string;
  /** `spec.env`. */
  readonly env: Readonly<Record<string, string>>;
  /** As written. */
  envFile(written: string): Readonly<Record<string, string>>;
  /** Hears of the variables that are copied for a component. @throws Error when they are too many for all */
  take(variables: number): void;
}

const DEFAULT_GRACE = 10_000;
const time = (value: Written, fallback: number): number => (value.missing ? fallback : parseDuration(value.amount()!));

export function normalizeComponent(kind: Kind, written: Written, surroundings: Surroundings): Component {
  const { folder } = surroundings;
  const at = (name: string) => written.get(name);
  const path = (value: string) => (isAbsolute(value) ? value : resolve(folder, value));
  const pathAt = (name: string) => (at(name).missing ? undefined : path(at(name).text()!));
  const healthPort = at('health_port').number();
  const restart = restartOf(at('restart_policy'));
  return {
    id: at('id').text()!,
    kind,
    name: at('name').text(),
    description: at('description').text(),
    type: at('type').text(),
    image: at('image').text(),
    pull: at('pull').word() ?? 'missing',
    binary: pathAt('binary'),
    command: commandOf(at('command')),
    args: at('args').texts(),
    process: pathAt('process'),
    workingDir: at('working_dir').text(),
    inputs: at('inputs').texts(),
    inputEventTypes: [...at('input_event_types').texts(), ...at('inputEventTypes').texts()],
    outputEventTypes: [...at('output_event_types').texts(), ...at('outputEventTypes').texts()],
    env: variablesOf(written, surroundings),
    ports: at('ports').list().map(portOf),
    healthPort,
    healthCheck: healthCheckOf(at('health_check'), { healthPort, path, reports: restart.condition === 'no' || !at('liveness_check').missing }),
    livenessCheck: at('liveness_check').missing ? undefined : healthCheckOf(at('liveness_check'), { healthPort, path, reports: restart.condition === 'no' }),
    dependsOn: dependenciesOf(at('depends_on')),
    restart,
    successExitCodes: [0, ...at('success_exit_codes').list().map((one) => one.number()!)],
    stop: { signal: at('stop').get('signal').word() ?? 'SIGTERM', gracePeriod: time(at('stop').get('grace_period'), DEFAULT_GRACE) },
    replicas: at('replicas').number() ?? 1,
    limits: limitsOf(at('resources')),
    volumes: at('volumes').list().map((one) => volumeOf(one, folder)),
    watch: watchOf(at('watch'), folder),
    container: containerOf(at('container')),
  };
}

/** Later ones win. */
function variablesOf(written: Written, { env, envFile, take }: Surroundings): Record<string, string> {
  const sources = [() => env, () => configEnv(written.get('config')), ...written.get('env_file').texts().map((one) => () => envFile(one)), () => written.get('env').record()];
  const all = new Map<string, string>();
  for (const source of sources) {
    const variables = Object.entries(source());
    take(variables.length);
    for (const [name, value] of variables) all.set(name, value);
  }
  return Object.fromEntries(all);
}

/** A text is for the shell, a list is run as it is. */
function commandOf(value: Written): string[] | undefined {
  if (value.missing) return undefined;
  return value.isText ? ['/bin/sh', '-c', value.text()!] : value.texts();
}

const configEnv = (config: Written): Record<string, string> =>
  Object.fromEntries(config.entries().map(([key, value]) => [key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_').toUpperCase(), value.scalar()]));

function portOf(entry: Written): Port {
  const port = entry.number() ?? entry.get('containerPort').number() ?? entry.get('port').number()!;
  return {
    name: entry.get('name').text(),
    port,
    hostPort: entry.get('hostPort').number() ?? port,
    hostIp: entry.get('host_ip').text() ?? '127.0.0.1',
    protocol: entry.get('protocol').text()?.toLowerCase() === 'udp' ? 'udp' : 'tcp',
    env: entry.get('env').text(),
  };
}

interface Around {
  readonly healthPort: number | undefined;
  path(written: string): string;
  /** Unless somebody says otherwise, one that is unhealthy is not started again. */
  readonly reports: boolean;
}

function healthCheckOf(entry: Written, around: Around): HealthCheck | undefined {
  if (entry.missing && around.healthPort === undefined) return undefined;
  const http = entry.missing ? '/health' : entry.text();
  return {
    check: http === undefined ? checkOf(entry, around) : urlCheck(http, around.healthPort),
    interval: time(entry.get('interval'), 5_000),
    timeout: time(entry.get('timeout'), 2_000),
    startTimeout: time(entry.get('start_timeout'), 30_000),
    failureThreshold: entry.get('failure_threshold').number() ?? 3,
    successThreshold: entry.get('success_threshold').number() ?? 1,
    onUnhealthy: entry.get('on_unhealthy').word() ?? (around.reports ? 'report' : 'restart'),
  };
}

const TRUSTED: TlsLook = { verify: true };

function checkOf(entry: Written, { healthPort, path }: Around): Check {
  const [log, exec, tcp, https] = ['log', 'exec', 'tcp', 'https'].map((kind) => entry.get(kind)) as [Written, Written, Written, Written];
  if (!log.missing) return { kind: 'log', pattern: log.text()! };
  if (!exec.missing) return { kind: 'exec', command: commandOf(exec.get('command').missing ? exec : exec.get('command'))! };
  if (!tcp.missing) return tcpCheck(tcp);
  const http = https.missing ? entry.get('http') : https;
  if (http.isText) return urlCheck(http.text()!, healthPort, https.missing ? undefined : TRUSTED);
  return {
    kind: 'http',
    host: hostOf(http.get('host').text() ?? LOCALHOST),
    port: http.get('port').amount() ?? healthPort ?? '',
    path: http.get('path').text() ?? '/health',
    status: http.get('status').number(),
    headers: http.get('headers').record(),
    tls: https.missing ? undefined : { ca: http.get('ca').missing ? undefined : path(http.get('ca').text()!), verify: http.get('verify').flag() ?? true, serverName: http.get('server_name').text() },
  };
}

function tcpCheck(tcp: Written): Check {
  const written = tcp.text();
  if (written === undefined) return { kind: 'tcp', host: hostOf(tcp.get('host').text() ?? LOCALHOST), port: tcp.number() ?? tcp.get('port').amount()! };
  const at = written.lastIndexOf(':');
  return { kind: 'tcp', host: hostOf(written.slice(0, at)), port: Number(written.slice(at + 1)) };
}

const LOCALHOST = 'localhost';
const hostOf = (written: string): string => written.replace(/^\[(.*)\]$/, '$1').toLowerCase();

/** A URL that makes no sense has no number for a port; semantics.ts refuses it. */
function urlCheck(written: string, healthPort: number | undefined, tls?: TlsLook): Check {
  const common = { kind: 'http', status: undefined, headers: {} } as const;
  if (written.startsWith('/')) return { ...common, host: LOCALHOST, port: healthPort ?? '', path: written, tls };
  if (!URL.canParse(written)) return { ...common, host: LOCALHOST, port: NaN, path: '', tls };
  const { protocol, hostname, port, pathname, search } = new URL(written);
  const secure = protocol === 'https:';
  return { ...common, host: hostOf(hostname), port: Number(port || (secure ? 443 : 80)), path: `${pathname}${search}`, tls: secure ? TRUSTED : undefined };
}

function dependenciesOf(value: Written): Dependency[] {
  if (value.isList) return value.texts().map((id) => ({ id, condition: undefined }));
  return value.entries().map(([id, one]) => ({ id, condition: one.word<Condition>() ?? one.get('condition').word<Condition>() }));
}

function restartOf(entry: Written): Restart {
  const backoff = entry.get('backoff');
  return {
    condition: entry.word<RestartName>() ?? entry.get('condition').word<RestartName>() ?? 'on-failure',
    maxRestarts: entry.get('max_restarts').number() ?? 5,
    window: time(entry.get('window'), 60_000),
    backoff: { initial: time(backoff.get('initial'), 200), max: time(backoff.get('max'), 30_000) },
  };
}

function limitsOf(resources: Written): Limits | undefined {
  const [limits, requests] = [resources.get('limits'), resources.get('requests')];
  const found: Limits = {
    cpu: coresOf(limits.get('cpu')) ?? coresOf(resources.get('cpu')),
    memory: bytesOf(limits.get('memory')) ?? bytesOf(resources.get('memory')),
    cpuRequest: coresOf(requests.get('cpu')),
    memoryRequest: bytesOf(requests.get('memory')),
  };
  return Object.values(found).every((one) => one === undefined) ? undefined : found;
}

const bytesOf = (value: Written): number | undefined => (value.missing ? undefined : parseBytes(value.amount()!));

function coresOf(value: Written): number | undefined {
  const text = value.text();
  return text?.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : text === undefined ? value.number() : Number(text);
}

function volumeOf(entry: Written, folder: string): Volume {
  const [source = '', target = '', mode = ''] = entry.text()?.split(':') ?? [];
  if (entry.isText) {
    const bind = /^[./~]/.test(source);
    return { source: bind ? folderOf(source, folder) : source, target, readOnly: mode === 'ro', bind };
  }
  const host = entry.get('host_path').text();
  return {
    source: host === undefined ? (entry.get('name').text() ?? '') : folderOf(host, folder),
    target: entry.get('container_path').text() ?? entry.get('mountPath').text() ?? '',
    readOnly: entry.get('readonly').flag() ?? false,
    bind: host !== undefined,
  };
}

/** `~` is the home of whoever runs it. */
const folderOf = (written: string, folder: string): string => resolve(folder, written.replace(/^~(?=\/|$)/, homedir()));

function watchOf(entry: Written, folder: string): Watch | undefined {
  if (entry.missing) return undefined;
  const paths = entry.isList ? entry : entry.get('paths');
  const ignore = entry.get('ignore');
  return { paths: paths.texts().map((one) => resolve(folder, one)), ignore: ignore.missing ? ['node_modules', '.git'] : ignore.texts(), debounce: time(entry.get('debounce'), 300) };
}

const containerOf = (entry: Written): ContainerOverrides => ({
  command: commandOf(entry.get('command')),
  args: entry.get('args').missing ? undefined : entry.get('args').texts(),
  workingDir: entry.get('working_dir').text(),
  env: entry.get('env').record(),
  limits: limitsOf(entry.get('resources')),
});
