// What the shape of a file cannot say: names that must exist, ports that must differ, combinations that cannot work.
import { closest } from '../errors.js';
import { isLocal } from './health.js';
import { LinePatterns } from './line-pattern.js';
import { replicaId, type Check, type Component, type PipelineSpec } from './model.js';
import { plan } from './plan.js';
import type { Suggest } from './problems.js';

/** `field` is relative to the component, such as `inputs[1]`; an empty text is the component itself. */
export type Complain = (component: Component, field: string, message: string, suggest?: Suggest) => void;

export function checkComponents(components: readonly Component[], complain: Complain): void {
  const byId = new Map<string, Component>();
  for (const component of components) {
    if (byId.has(component.id)) complain(component, 'id', `duplicate component id: ${component.id}`);
    else byId.set(component.id, component);
  }
  const patterns = new LinePatterns();
  for (const component of components) {
    checkProgram(component, complain);
    checkReferences(component, byId, complain);
    checkHealth(component, patterns, complain);
    checkName(component, byId, complain);
    component.volumes.forEach(({ source, target }, i) => {
      if (!source || !target.startsWith('/')) complain(component, `volumes[${i}]`, `a volume needs a source and an absolute path in the container`);
    });
  }
  checkPorts(components, complain);
  const order = plan(components);
  if ('cycle' in order) complain(byId.get(order.cycle[0]!)!, '', `components wait for each other: ${order.cycle.join(' → ')}`);
}

/** No replica of another component is called the same. */
function checkName({ id }: Component, byId: ReadonlyMap<string, Component>, complain: Complain): void {
  const at = id.lastIndexOf('-');
  const number = Number(id.slice(at + 1));
  const other = byId.get(id.slice(0, at));
  if (other && number <= other.replicas && replicaId(other.id, number - 1) === id && number > 1) complain(other, 'replicas', `replica ${number} of ${other.id} would be called ${id}, as another component is`);
}

function checkProgram(component: Component, complain: Complain): void {
  const { id, kind, type, image, command, binary, process, stop } = component;
  const [name, version] = type?.split('@') ?? [];
  if (version !== undefined && !image && !command && !binary && !process) {
    return complain(component, 'type', `${kind} ${id}: type ${type} is a package of flowctl's registry, which is not fetched; write what runs instead, such as command: [./${name}], or image: <registry>/${name}:${version}`);
  }
  if (kind === 'pipeline' && !image) complain(component, '', `pipeline ${id} must have an image specified`);
  else if (!image && !command && !binary && !process) complain(component, '', `${kind} ${id} must have either command, image, binary or process specified`);
  if (process && (command || binary)) complain(component, 'process', `${id}: process cannot be combined with ${command ? 'command' : 'binary'}`);
  if (process && stop.signal !== 'SIGTERM') complain(component, 'stop.signal', `${id}: a process file is asked to stop over its link; stop.signal is for programs`);
  if (binary && command) complain(component, 'binary', `${id}: binary cannot be combined with command; put what differs in containers under container`);
}

function checkReferences(component: Component, byId: ReadonlyMap<string, Component>, complain: Complain): void {
  component.inputs.forEach((id, i) => {
    const input = byId.get(id);
    const field = `inputs[${i}]`;
    if (!input) complain(component, field, `${component.kind} ${component.id} references unknown input ${id}`, () => closest(id, byId.keys()));
    else if (input.kind === 'sink') complain(component, field, `${component.kind} ${component.id} cannot read from sink ${id}`);
    else if (component.kind === 'source') complain(component, field, `source ${component.id} cannot have inputs; depends_on makes it wait`);
  });
  for (const { id, condition } of component.dependsOn) {
    const field = `depends_on.${id}`;
    const wanted = byId.get(id);
    if (!wanted) complain(component, field, `${component.kind} ${component.id} depends on unknown component ${id}`, () => closest(id, byId.keys()));
    else if (condition === 'healthy' && !wanted.healthCheck && !wanted.process) complain(component, field, `${component.id} waits for ${id} to be healthy, but ${id} has no health_check`);
    else if (condition === 'log_ready' && wanted.healthCheck?.check.kind !== 'log') complain(component, field, `${component.id} waits for a line of ${id}, but ${id} has no health_check.log`);
    else if (condition?.startsWith('completed') && (wanted.restart.condition === 'always' || wanted.restart.condition === 'unless-stopped')) {
      complain(component, field, `${component.id} waits for ${id} to complete, but restart_policy ${wanted.restart.condition} starts it again`);
    }
  }
}

function checkHealth(component: Component, patterns: LinePatterns, complain: Complain): void {
  for (const [field, health] of [['health_check', component.healthCheck], ['liveness_check', component.livenessCheck]] as const) {
    const say = (at: string, message: string, suggest?: Suggest) => complain(component, at, `${component.id}: ${message}`, suggest);
    if (health) checkOne(health.check, field, { names: component.ports.flatMap(({ name }) => name ?? []), patterns, say });
  }
  if (component.livenessCheck && component.healthCheck?.onUnhealthy === 'restart') complain(component, 'health_check.on_unhealthy', `${component.id}: health_check.on_unhealthy: restart cannot be combined with liveness_check, which decides about restarts`);
}

interface Within {
  readonly names: readonly string[];
  readonly patterns: LinePatterns;
  say(at: string, message: string, suggest?: Suggest): void;
}

function checkOne(check: Check, field: string, { names, patterns, say }: Within): void {
  if (check.kind === 'exec') return;
  if (check.kind === 'log') {
    try {
      patterns.compile(check.pattern);
    } catch (error) {
      say(`${field}.log`, `${field}.log: ${(error as Error).message}`);
    }
    return;
  }
  const { kind, port } = check;
  if (Number.isNaN(port)) say(field, `${field}.http is not a URL that makes sense`);
  else if (port === '') say(field, `${field}.http needs a port, or health_port`);
  else if (typeof port === 'string' ? !names.includes(port) : !(port >= 1 && port <= 65_535)) say(field, typeof port === 'string' ? `no port is called ${port}` : `${field}.${kind}: ${port} is not a port`, () => closest(String(port), names));
}

/** Ports of this machine that components have for themselves. */
export function portsOf({ components }: Pick<PipelineSpec, 'components'>): ReadonlySet<number> {
  const own = components.flatMap((component) => {
    const { ports, healthPort, replicas } = component;
    return [...ports.flatMap(({ hostPort }) => Array.from({ length: Math.max(1, replicas) }, (_, n) => hostPort + n)), healthPort ?? NaN, ...checkedPorts(component)];
  });
  return new Set(own.filter((port) => !Number.isNaN(port)));
}

/** Ports by number that its checks look at where it runs. */
export const checkedPorts = ({ healthCheck, livenessCheck }: Component): number[] =>
  [healthCheck?.check, livenessCheck?.check].flatMap((check) => (check && (check.kind === 'http' || check.kind === 'tcp') && isLocal(check.host) && typeof check.port === 'number' ? [check.port] : []));

/** What a component listens on; a further replica has the port that follows. One that is taken is told once for each entry. */
function checkPorts(components: readonly Component[], complain: Complain): void {
  const taken = new Map<string, Component>();
  for (const component of components) {
    const { id, ports, healthPort } = component;
    ports.forEach(({ hostPort, protocol }, i) => {
      for (let port = hostPort; port < hostPort + Math.max(1, component.replicas); port++) {
        const holder = taken.get(`${port}/${protocol}`);
        if (holder) return complain(component, `ports[${i}]`, holder === component ? `${id}: port ${port} is listed twice, or a replica has it` : `${id}: port ${port} belongs to ${holder.id}`);
        taken.set(`${port}/${protocol}`, component);
      }
    });
    if (healthPort === undefined) continue;
    const holder = taken.get(`${healthPort}/tcp`);
    if (holder && holder !== component) complain(component, 'health_port', `${id}: port ${healthPort} belongs to ${holder.id}`);
    else taken.set(`${healthPort}/tcp`, component);
  }
}
