// The table of everything a pipeline file may say. The check of files and docs/pipeline.schema.json both follow it.
import { any, duration, either, flag, integer, list, map, number, object, scalar, size, text, type Shape } from './shape.js';

const CONDITIONS = ['started', 'healthy', 'completed', 'completed_successfully', 'log_ready'] as const;
const RESTARTS = ['no', 'always', 'on-failure', 'unless-stopped'] as const;
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const;
/** Names become file names, container names and host names. */
const ID_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/;
const ID_HINT = 'letters, digits, - and _, at most 63';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What a system takes as one argument. */
const LONGEST_ARGUMENT = 128 * 1024;
const command = (doc: string) => either([text('run by /bin/sh -c', { longest: LONGEST_ARGUMENT }), list(scalar('one argument'), 'program and arguments, run as they are', 1)], 'a text for the shell or a list of arguments', doc);
const port = (doc: string) => either([integer('a number', 1, 65_535), text("the name of one of the component's ports")], 'a port number or the name of a port', doc);

const http = {
  port: port('default: health_port'),
  path: text('default /health'),
  host: text('default localhost, which is either loopback'),
  status: integer('the one status that passes; default 200 to 399', 100, 599),
  headers: map(scalar('a value'), 'sent with it'),
};
const httpCheck = object(http, 'passes when a GET is answered with 200 to 399');
const httpsCheck = object({
  ...http,
  ca: text('file of the authority that signed its certificate, PEM, relative to this file'),
  verify: flag('false: any certificate will do; default true'),
  server_name: text('whose certificate it has; default: the host'),
}, 'the same over TLS');

const url = text('a URL, or a path on health_port', { pattern: /^(?:\/|https?:\/\/[^/\s]+)/, expected: 'a URL that begins with http:// or https://, or a path that begins with /' });
const httpsUrl = text('a URL, or a path on health_port', { pattern: /^(?:\/|https:\/\/[^/\s]+)/, expected: 'a URL that begins with https://, or a path that begins with /' });
const address = text('host:port', { pattern: /^(?:\[[\da-fA-F:.]+\]|[^\s:[\]/]+):\d{1,5}$/, expected: 'host:port, such as localhost:5432 or [::1]:5432' });

const tcp = either([integer('a port', 1, 65_535), address, object({ port: port('the port'), host: text('default localhost, which is either loopback') }, 'a port that accepts connections', { required: ['port'] })], 'a port, host:port or an object', 'passes when the port accepts a connection');
const exec = either([command('the command'), object({ command: command('the command') }, 'a command', { required: ['command'] })], 'a command', 'passes when the command exits with 0; runs in the container in container mode');
const checks = {
  http: either([url, httpCheck], 'a URL, a path or an object', 'an HTTP GET'),
  https: either([httpsUrl, httpsCheck], 'a URL, a path or an object', 'an HTTP GET over TLS'),
  tcp,
  exec,
};
const times = {
  interval: duration('time between checks while it runs; default 5s'),
  timeout: duration('of one check; default 2s'),
  start_timeout: duration('longest time to the first pass; default 30s'),
  failure_threshold: integer('so many failures in a row make it unhealthy; default 3', 1),
  success_threshold: integer('so many passes in a row make it healthy; default 1', 1),
};

const healthCheck = object({
  ...checks,
  log: text('passes once a line of output matches this regular expression, as RE2 has them'),
  ...times,
  on_unhealthy: text('restart (default, unless restart_policy is no or there is a liveness_check): end it and start it again; report: only say so', { values: ['restart', 'report'] }),
}, 'when the component is healthy', { oneOf: ['http', 'https', 'tcp', 'exec', 'log'] });

const livenessCheck = object({ ...checks, ...times }, 'when the component is alive', { oneOf: ['http', 'https', 'tcp', 'exec'] });

const portEntry = object({
  name: text('for health checks'),
  containerPort: integer('the port that the component listens on', 1, 65_535),
  hostPort: integer('on this machine; default: the same number', 1, 65_535),
  port: integer('short for containerPort', 1, 65_535),
  host_ip: text('which address of this machine; default 127.0.0.1'),
  protocol: text('default tcp', { values: ['tcp', 'udp', 'TCP', 'UDP'] }),
  env: text('the variable that tells the component its port; needed for replicas of processes', { pattern: VARIABLE, expected: 'the name of a variable' }),
}, 'a port', { oneOf: ['containerPort', 'port'] });

const cores = (doc: string) => either([number('cores', { min: 0.001 }), text("'500m' is half a core", { pattern: /^(?:\d+m|\d+(?:\.\d+)?)$/, expected: "a number of cores, or of thousandths such as '500m'" })], 'cores', doc);
const limits = object({ cpu: cores('so many cores at most'), memory: size('going over it ends the component') }, 'upper limits; processes have them where cgroups can be made');
const requests = object({ cpu: cores('its share when there is a run on the cores'), memory: size('taken from it last') }, 'what it gets at least, when there is a run on it');
const resources = object({ limits, requests, cpu: cores('short for limits.cpu'), memory: size('short for limits.memory') }, 'limits of the component; of a process file, memory bounds its heap as well');

const container = object({
  command: command('instead of command'),
  args: list(scalar('one argument'), 'instead of args'),
  working_dir: text('instead of working_dir: a path in the container'),
  env: map(scalar('a value'), 'over env'),
  resources,
}, 'what differs in container mode');

const dependency = either([text('the condition', { values: CONDITIONS }), object({ condition: text('what to wait for', { values: CONDITIONS }) }, 'a condition', { required: ['condition'] })], 'a condition', 'what to wait for');

const fields: Readonly<Record<string, Shape>> = {
  id: text('unique in the file', { pattern: ID_PATTERN, expected: ID_HINT }),
  name: text('for people'),
  description: text('for people', { longest: LONGEST_ARGUMENT }),
  type: text('for people, as flowctl has it; a package such as x@v1 is not fetched'),
  image: text('container image (container mode)'),
  pull: text('missing (default), always or never', { values: ['missing', 'always', 'never'] }),
  binary: text('a program for process mode alone; the path is relative to this file'),
  command: command('what to run; in a container it replaces the entry point'),
  args: either([text('one argument', { longest: LONGEST_ARGUMENT }), list(scalar('one argument'), 'further arguments')], 'an argument or a list of arguments', 'further arguments'),
  process: text('a Mimas process file; in container mode it runs in image, which has Node.js'),
  working_dir: text('relative to this file; default: the folder of this file'),
  inputs: list(text('an id'), 'components that this one reads from; it starts when they are ready'),
  input_event_types: list(text('a type'), 'told to the control plane'),
  output_event_types: list(text('a type'), 'told to the control plane'),
  inputEventTypes: list(text('a type'), 'the same as input_event_types'),
  outputEventTypes: list(text('a type'), 'the same as output_event_types'),
  config: map(any('a value'), 'given as variables with upper-case names; env wins'),
  env: map(scalar('a value'), 'variables'),
  env_file: either([text('a file'), list(text('a file'), 'files, later ones win')], 'a file or a list of files', 'variables from files; env wins'),
  ports: list(either([integer('a port', 1, 65_535), portEntry], 'a port number or an object', 'a port'), 'ports that the component listens on'),
  health_port: integer('told as HEALTH_PORT; with no health_check, GET /health there is one', 1, 65_535),
  health_check: either([url, healthCheck], 'a URL, a path or an object', 'when the component is healthy'),
  liveness_check: either([url, livenessCheck], 'a URL, a path or an object', 'looked at once the component is up: when it fails, it is started again, and health_check only says whether it is ready'),
  depends_on: either([list(text('an id'), 'ids; each has to be ready'), map(dependency, 'id to condition')], 'a list of ids, or ids with conditions', 'further components to wait for'),
  restart_policy: either([
    text('no, always, on-failure (default) or unless-stopped', { values: RESTARTS }),
    object({
      condition: text('default on-failure', { values: RESTARTS }),
      max_restarts: integer('within window; default 5', 0),
      window: duration('default 60s'),
      backoff: object({ initial: duration('default 200ms'), max: duration('default 30s') }, 'doubles from initial to max'),
    }, 'when it is started again'),
  ], 'a condition or an object', 'what happens when it ends by itself'),
  success_exit_codes: list(integer('a code', 0, 255), 'codes that count as success besides 0'),
  stop: object({ signal: text('default SIGTERM', { values: STOP_SIGNALS }), grace_period: duration('until SIGKILL; default 10s') }, 'how it is stopped'),
  replicas: integer('how many; default 1', 0, 1000),
  resources,
  volumes: list(either([text('source:target[:ro]', { pattern: /^[^:]+:\/[^:]*(?::(?:ro|rw))?$/, expected: 'source:/target, source:/target:ro or source:/target:rw' }), object({
    name: text('a named volume'),
    host_path: text('a folder of this machine, relative to this file'),
    container_path: text('where it appears'),
    mountPath: text('the same as container_path'),
    readonly: flag('default false'),
  }, 'a volume')], 'source:target[:ro] or an object', 'a volume'), 'folders for containers; a process sees the files of this machine anyway'),
  watch: either([list(text('a path'), 'paths relative to this file', 1), object({
    paths: list(text('a path'), 'paths relative to this file', 1),
    ignore: list(text('a text'), 'parts of paths that do not count'),
    debounce: duration('default 300ms'),
  }, 'paths', { required: ['paths'] })], 'a list of paths or an object', 'restart it when these files change'),
  container,
};

const COMPONENT: Shape = object(fields, 'a component', { required: ['id'] });
const metadataMap = (doc: string) => map(scalar('a value'), doc);

export const PIPELINE: Shape = object({
  apiVersion: text('flowctl/v1 or mimas/v1', { pattern: /^(?:[a-z][a-z.]*\/)?v[0-9]+[a-z0-9]*$/, expected: 'a name and a version such as flowctl/v1' }),
  kind: text('Pipeline'),
  metadata: object({
    name: text('the name of the pipeline', { pattern: ID_PATTERN, expected: ID_HINT }),
    namespace: text('for people'),
    description: text('for people', { longest: LONGEST_ARGUMENT }),
    labels: metadataMap('set on containers'),
    annotations: metadataMap('for people'),
  }, 'names', {}),
  spec: object({
    description: text('for people', { longest: LONGEST_ARGUMENT }),
    driver: text('the orchestrator, unless --orchestrator says otherwise: process (or local), container (or docker)', { values: ['process', 'container', 'docker', 'local'] }),
    on_failure: text('when a component is given up: stop (default) or continue', { values: ['stop', 'continue'] }),
    max_concurrent_starts: integer('so many replicas start at a time, after a crash as well; default: all that may', 1),
    env: map(scalar('a value'), 'variables for all components; their own win'),
    log: object({ max_size: size('of one file; default 10MB'), max_files: integer('kept besides the current one; default 5', 0, 1000) }, 'rotation of log files'),
    sources: list(COMPONENT, 'where data comes from'),
    processors: list(COMPONENT, 'what changes it'),
    sinks: list(COMPONENT, 'where it goes'),
    pipelines: list(COMPONENT, 'whole pipelines packed as images'),
  }, 'the components'),
}, 'a pipeline of components that talk to each other directly', { required: [] });

/** The lists of `spec` and what their members are. */
export const SECTIONS = { sources: 'source', processors: 'processor', sinks: 'sink', pipelines: 'pipeline' } as const;
