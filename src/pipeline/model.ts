// A pipeline as the runner works with it: checked, defaults filled in, durations in milliseconds, sizes in bytes, paths absolute.
import type { TlsLook } from '../runtime/probes.js';
import type { Problem } from './problems.js';

export type Kind = 'source' | 'processor' | 'sink' | 'pipeline';
/** What a dependent waits for. `log_ready` is `healthy` of a log-line check. */
export type Condition = 'started' | 'healthy' | 'completed' | 'completed_successfully' | 'log_ready';
export type RestartName = 'no' | 'always' | 'on-failure' | 'unless-stopped';

export interface Dependency {
  readonly id: string;
  /** Undefined: `healthy` when the dependency has a health check, else `started`. */
  readonly condition: Condition | undefined;
}

export interface Port {
  readonly name: string | undefined;
  readonly port: number;
  /** On this machine; of further replicas one more each. */
  readonly hostPort: number;
  readonly hostIp: string;
  readonly protocol: 'tcp' | 'udp';
  /** The variable that tells the component its port. */
  readonly env: string | undefined;
}

export type Check =
  | { readonly kind: 'http'; readonly host: string; readonly port: number | string; readonly path: string; readonly status: number | undefined; readonly headers: Readonly<Record<string, string>>; /** Undefined: without TLS. */ readonly tls: TlsLook | undefined }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number | string }
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | { readonly kind: 'log'; readonly pattern: string };

export interface HealthCheck {
  readonly check: Check;
  readonly interval: number;
  readonly timeout: number;
  /** Longest time to the first pass. */
  readonly startTimeout: number;
  /** So many failures in a row make it unhealthy, and so many passes healthy. */
  readonly failureThreshold: number;
  readonly successThreshold: number;
  readonly onUnhealthy: 'restart' | 'report';
}

export interface Volume {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A folder of this machine, or a named volume of the engine. */
  readonly bind: boolean;
}

export interface Restart {
  readonly condition: RestartName;
  readonly maxRestarts: number;
  readonly window: number;
  readonly backoff: { readonly initial: number; readonly max: number };
}

export interface Watch {
  readonly paths: readonly string[];
  readonly ignore: readonly string[];
  readonly debounce: number;
}

/** What differs in a container. An undefined field is the component's own. */
export interface ContainerOverrides {
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  readonly workingDir: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits | undefined;
}

export interface Limits {
  /** Cores, at most. */
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  /** Cores that it gets when there is a run on them. */
  readonly cpuRequest: number | undefined;
  /** Bytes that are taken from it last. */
  readonly memoryRequest: number | undefined;
}

export interface Component {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** For people. */
  readonly type: string | undefined;
  readonly image: string | undefined;
  readonly pull: 'missing' | 'always' | 'never';
  /** The program of process mode alone. */
  readonly binary: string | undefined;
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[];
  /** A Mimas process file. */
  readonly process: string | undefined;
  readonly workingDir: string | undefined;
  readonly inputs: readonly string[];
  readonly inputEventTypes: readonly string[];
  readonly outputEventTypes: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly Port[];
  readonly healthPort: number | undefined;
  readonly healthCheck: HealthCheck | undefined;
  /** Looked at once it is up; when it fails, the component is started again. Then `healthCheck` says only who is ready. */
  readonly livenessCheck: HealthCheck | undefined;
  readonly dependsOn: readonly Dependency[];
  readonly restart: Restart;
  readonly successExitCodes: readonly number[];
  readonly stop: { readonly signal: NodeJS.Signals; readonly gracePeriod: number };
  readonly replicas: number;
  readonly limits: Limits | undefined;
  readonly volumes: readonly Volume[];
  readonly watch: Watch | undefined;
  readonly container: ContainerOverrides;
}

export interface PipelineSpec {
  readonly file: string;
  readonly folder: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly driver: 'process' | 'container' | undefined;
  /** When a component is given up for good: end the pipeline, or go on without it. */
  readonly onFailure: 'stop' | 'continue';
  /** So many replicas at a time; undefined: all that may start. Of the first version of a pipeline, as long as it runs. */
  readonly maxConcurrentStarts: number | undefined;
  readonly log: { readonly maxSize: number; readonly maxFiles: number };
  /** In the order of the file: sources, processors, sinks, pipelines. */
  readonly components: readonly Component[];
  /** Where a field of a component (or, with an empty id, of the file) stands: for what is refused after the file was read. */
  readonly locate?: ((id: string, field: string) => Omit<Problem, 'message'>) | undefined;
}

/** The id of replica number `index`, from 0: the first keeps the component's own, so that scaling up never renames. */
export const replicaId = (id: string, index: number): string => (index === 0 ? id : `${id}-${index + 1}`);
