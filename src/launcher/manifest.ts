// manifest.yaml: what one pattern is. A manifest is read whole or not at all; every fault is told with its file and line, and
// an unknown key is a fault, too: nothing that somebody wrote is ignored.
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap } from 'yaml';
import { canBeVariable } from '../runtime/environment.js';
import type { ProbeTimes, TlsLook } from '../runtime/probes.js';
import { parseBytes } from '../units.js';
import { composeYaml, SEVERAL, withoutTraces } from '../yaml/compose.js';
import { resolveYaml } from '../yaml/resolve.js';
import { readTextFile } from '../yaml/text-file.js';
import { ISOLATION_LEVELS, type IsolationLevel } from './ids.js';
import { Reader, TooManyFaults, type ManifestProblem } from './manifest-reader.js';
import { isLoader, isVariablePattern } from './request-variables.js';

export type Enforcement = 'strict' | 'best-effort';

export interface Resources {
  /** Cores. */
  readonly cpuLimit?: number | undefined;
  readonly cpuRequest?: number | undefined;
  /** Bytes. */
  readonly memoryLimit?: number | undefined;
  readonly memoryRequest?: number | undefined;
  /** What to do where limits cannot be enforced: refuse to start, or warn (default). */
  readonly enforce: Enforcement;
}

export interface HealthCheckSpec {
  readonly type: 'http' | 'https' | 'tcp' | 'exec';
  /** Preferred HEALTH_PORT; another is taken when it is not free. */
  readonly port?: number | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of type https. */
  readonly tls: TlsLook | undefined;
  readonly command: readonly string[];
  readonly times: ProbeTimes;
}

export interface BackendSlot { readonly name: string; readonly type: string; readonly required: boolean; readonly configSchema?: string | undefined }

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string | undefined;
  readonly author?: string | undefined;
  /** Absolute; exactly one of `executable` and `process` is there. */
  readonly executable?: string | undefined;
  readonly process?: string | undefined;
  readonly args: readonly string[];
  readonly isolationLevel?: IsolationLevel | undefined;
  readonly healthcheck?: HealthCheckSpec | undefined;
  readonly resources?: Resources | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** What requests may set besides those of `environment`: names, or the beginnings of names with a star. */
  readonly config: readonly string[];
  readonly backendSlots: readonly BackendSlot[];
  /** The manifest file, absolute. */
  readonly file: string;
  readonly folder: string;
}

const KEYS = ['name', 'version', 'executable', 'process', 'args', 'isolation_level', 'healthcheck', 'resources', 'environment', 'config', 'backend_slots', 'description', 'author'];
const HEALTH_KEYS = ['type', 'port', 'path', 'headers', 'ca', 'verify', 'server_name', 'command', 'interval', 'timeout', 'failure_threshold', 'success_threshold', 'initial_delay', 'startup_timeout'];
const RESOURCE_KEYS = ['cpu_limit', 'cpu_request', 'memory_limit', 'memory_request', 'enforce'];
const SLOT_KEYS = ['name', 'type', 'required', 'config_schema'];

export interface BadManifest {
  readonly problems: readonly ManifestProblem[];
  /** The executable or process file that it names, absolute. */
  readonly names?: string | undefined;
}

/** Reads and checks one manifest: the manifest, or everything that is wrong with it in the order of the checks. */
export function readManifest(path: string): { manifest: Manifest } | BadManifest {
  const file = resolve(path);
  const at = (message: string, line = 1): BadManifest => ({ problems: [{ file, line, code: 'INVALID_MANIFEST', message }] });
  let text: string;
  try {
    text = readTextFile(file);
  } catch (error) {
    return at(`read manifest: ${(error as Error).message}`);
  }
  return withoutTraces(() => {
    const { document, faults: [syntax], lines } = composeYaml(text, MERGING);
    const fault = (offset: number, message: string) => at(`parse manifest: ${message}`, lines.linePos(offset).line || 1);
    if (syntax?.message === SEVERAL) return fault(syntax.offset, 'a manifest is one document, this file holds several');
    if (syntax || !document) return fault(syntax?.offset ?? 0, syntax?.message ?? 'it cannot be read');
    if (!isMap(document.contents)) return at('parse manifest: a manifest is a map of keys and values');
    let unresolved: BadManifest | undefined;
    resolveYaml(document, (node, message) => (unresolved ??= fault(node?.range?.[0] ?? 0, message)), MERGING);
    if (unresolved) return unresolved;
    const reader = new Reader(file, document, lines);
    try {
      const manifest = build(reader, file);
      return reader.problems.length > 0 ? { problems: reader.problems, names: manifest.executable ?? manifest.process } : { manifest };
    } catch (error) {
      return error instanceof TooManyFaults ? { problems: reader.problems } : at(`parse manifest: ${(error as Error).message}`);
    }
  });
}

/** Nothing that somebody wrote is ignored, and `<<` is an unknown key here. */
const MERGING = { merge: false };

function build(reader: Reader, file: string): Manifest {
  const folder = dirname(file);
  reader.refuseUnknown([], KEYS);
  const name = reader.required('name');
  const version = reader.required('version');
  const process = reader.text('process');
  const executable = process === undefined ? reader.required('executable') : reader.text('executable');
  if (process !== undefined && executable !== undefined) reader.fault('executable and process exclude each other', ['process']);
  const isolationLevel = reader.text('isolation_level');
  if (isolationLevel !== undefined && !ISOLATION_LEVELS.includes(isolationLevel as IsolationLevel)) {
    reader.fault(`invalid isolation_level: ${isolationLevel} (must be none, namespace, or session)`, ['isolation_level']);
  }
  const path = executable === undefined ? undefined : resolve(folder, executable);
  if (path !== undefined) checkExecutable(reader, path);
  const processFile = process === undefined ? undefined : resolve(folder, process);
  if (processFile !== undefined) checkFile(reader, processFile, 'process', 'process file');
  const args = reader.texts(['args']);
  if (processFile !== undefined && args.length > 0) reader.fault('args: a process file takes none; use environment', ['args']);
  return {
    name: name ?? '',
    version: version ?? '',
    description: reader.text('description'),
    author: reader.text('author'),
    executable: path,
    process: processFile,
    args,
    isolationLevel: isolationLevel as IsolationLevel | undefined,
    healthcheck: healthcheck(reader, folder, processFile !== undefined),
    resources: resources(reader),
    environment: environment(reader),
    config: config(reader),
    backendSlots: slots(reader),
    file,
    folder,
  };
}

function checkFile(reader: Reader, path: string, key: string, what: string): number | undefined {
  try {
    const stat = statSync(path);
    if (stat.isFile()) return stat.mode;
    reader.fault(`${what} not found: ${path}: is not a file`, [key], 'EXECUTABLE_NOT_FOUND');
  } catch (error) {
    reader.fault(`${what} not found: ${path}: ${(error as Error).message}`, [key], 'EXECUTABLE_NOT_FOUND');
  }
  return undefined;
}

function checkExecutable(reader: Reader, path: string): void {
  const mode = checkFile(reader, path, 'executable', 'executable');
  if (mode === undefined) return;
  try {
    // Root may do anything to a file, but executes it only with some x bit; so does `access`.
    accessSync(path, constants.X_OK);
  } catch {
    reader.fault(`executable is not executable: ${path} (mode: ${(mode & 0o777).toString(8).padStart(4, '0')})`, ['executable'], 'EXECUTABLE_NOT_RUNNABLE');
  }
}

const CHECKS = ['http', 'https', 'tcp', 'exec'] as const;
/** What only some types have, and which ones. */
const BELONGS: Readonly<Record<string, readonly string[]>> = { headers: ['http', 'https'], ca: ['https'], verify: ['https'], server_name: ['https'] };

function healthcheck(reader: Reader, folder: string, isProcess: boolean): HealthCheckSpec | undefined {
  if (!reader.section('healthcheck', HEALTH_KEYS)) return undefined;
  const at = (key: string) => ['healthcheck', key];
  const type = reader.value(at('type')) ?? 'http';
  if (isProcess) reader.fault('healthcheck: a process file brings its own (@HealthCheck)', ['healthcheck']);
  if (!CHECKS.includes(type as 'http')) reader.fault(`healthcheck.type must be http, https, tcp or exec, got: ${String(type)}`, at('type'));
  const web = type === 'http' || type === 'https';
  for (const [key, types] of Object.entries(BELONGS)) if (reader.value(at(key)) !== undefined && !types.includes(String(type))) reader.fault(`healthcheck.${key} belongs to type ${types.join(' or ')}, not ${String(type)}`, at(key));
  const port = reader.value(at('port'));
  if (port !== undefined && !(Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65535)) {
    reader.fault(`healthcheck.port must be between 1 and 65535, got: ${String(port)}`, at('port'));
  }
  const path = reader.value(at('path'));
  if (web && !path) reader.fault('healthcheck.path is required', at('path'));
  else if (path !== undefined && (typeof path !== 'string' || !path.startsWith('/'))) reader.fault(`healthcheck.path must begin with a slash, got: ${String(path)}`, at('path'));
  const command = reader.texts(at('command'));
  if (type === 'exec' && command.length === 0) reader.fault('healthcheck.command is required: a list of the program and its arguments', at('command'));
  if (type !== 'exec' && command.length > 0) reader.fault(`healthcheck.command belongs to type exec, not ${String(type)}`, at('command'));
  const times = reader.probeTimes();
  const headers: Record<string, string> = {};
  for (const [name, value] of reader.sources(at('headers'))) {
    if (value === undefined) reader.fault(`healthcheck.headers.${name} must be a text`, [...at('headers'), name]);
    else headers[name] = value;
  }
  const verify = reader.value(at('verify')) ?? true;
  if (typeof verify !== 'boolean') reader.fault(`healthcheck.verify must be true or false, got: ${String(verify)}`, at('verify'));
  const [ca, serverName] = [reader.source(at('ca')), reader.source(at('server_name'))];
  const tls = type === 'https' ? { verify: verify === true, ca: ca === undefined ? undefined : resolve(folder, ca), serverName } : undefined;
  return { type: type as 'http', port: port as number | undefined, path: (path as string | undefined) ?? '/', headers, tls, command, times };
}

function resources(reader: Reader): Resources | undefined {
  if (!reader.section('resources', RESOURCE_KEYS)) return undefined;
  const enforce = reader.value(['resources', 'enforce']) ?? 'best-effort';
  if (enforce !== 'strict' && enforce !== 'best-effort') reader.fault(`resources.enforce must be strict or best-effort, got: ${String(enforce)}`, ['resources', 'enforce']);
  return {
    cpuLimit: reader.quantity('cpu_limit', parseCpu),
    cpuRequest: reader.quantity('cpu_request', parseCpu),
    memoryLimit: reader.quantity('memory_limit', parseMemory),
    memoryRequest: reader.quantity('memory_request', parseMemory),
    enforce: enforce as Enforcement,
  };
}

/** A kernel accounts for no less. */
const LEAST_CPU = 0.001;

/** Cores: `1.5`, or Kubernetes' `'500m'`. */
export function parseCpu(value: unknown, option: string): number {
  const cores = typeof value === 'string' && /^\d+m$/.test(value) ? Number(value.slice(0, -1)) / 1000 : Number(value);
  if (typeof value === 'boolean' || !(cores > 0) || cores === Infinity) throw new Error(`${option} must be a positive number of cores, got: ${String(value)}`);
  if (cores < LEAST_CPU) throw new Error(`${option} must be at least ${LEAST_CPU} cores, got: ${String(value)}`);
  return cores;
}

/** Bytes: `268435456`, `'256MB'`, or Kubernetes' `'256Mi'`. */
export function parseMemory(value: unknown, option: string): number {
  try {
    const bytes = parseBytes(value as string | number, option);
    if (bytes > 0) return bytes;
  } catch {
    // Told below.
  }
  throw new Error(`${option} must be a size such as 256Mi, got: ${String(value)}`);
}

function environment(reader: Reader): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [key, value] of reader.sources(['environment'])) {
    if (value === undefined) reader.fault(`environment.${key} must be a text`, ['environment', key]);
    else if (!canBeVariable(key, value)) reader.fault(`environment: ${JSON.stringify(key)} cannot be an environment variable`, ['environment', key]);
    else variables[key] = value;
  }
  return variables;
}

function config(reader: Reader): string[] {
  const patterns = reader.texts(['config']);
  patterns.forEach((pattern, i) => {
    if (!isVariablePattern(pattern)) reader.fault(`config: ${JSON.stringify(pattern)} is neither the name of a variable nor the beginning of names with a star`, ['config', i]);
    // With a star, those that no request may set are left out.
    else if (!pattern.endsWith('*') && isLoader(pattern)) reader.fault(`config: ${pattern} is never taken from a request: it makes programs load, run or trust something else; write it under environment`, ['config', i]);
  });
  return patterns;
}

function slots(reader: Reader): BackendSlot[] {
  const list = reader.value(['backend_slots']);
  if (list === undefined) return [];
  if (!Array.isArray(list)) return reader.fault('backend_slots must be a list', ['backend_slots']), [];
  return list.map((_, i): BackendSlot => {
    const at = ['backend_slots', i];
    reader.refuseUnknown(at, SLOT_KEYS);
    const field = (key: string) => reader.value([...at, key]);
    if (field('required') !== undefined && typeof field('required') !== 'boolean') reader.fault(`backend_slots[${i}].required must be true or false, got: ${String(field('required'))}`, [...at, 'required']);
    for (const key of ['name', 'type']) if (typeof field(key) !== 'string') reader.fault(`backend_slots[${i}].${key} is required`, [...at, key]);
    return { name: String(field('name')), type: String(field('type')), required: field('required') === true, configSchema: field('config_schema') === undefined ? undefined : String(field('config_schema')) };
  });
}
