// What the shape of a file cannot say: names that must exist, ports that must differ, combinations that cannot work.
import { closest } from '../errors.js';
import { LinePatterns } from './line-pattern.js';
import { replicaId, type Component, type PipelineSpec } from './model.js';
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
  const { id, kind, image, command, binary, process, stop } = component;
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
  const check = component.healthCheck?.check;
  if (!check) return;
  if (check.kind === 'http' && Number.isNaN(check.port)) return complain(component, 'health_check', `${component.id}: health_check.http is not a URL that makes sense`);
  if (check.kind === 'log') {
    try {
      patterns.compile(check.pattern);
    } catch (error) {
      complain(component, 'health_check.log', `${component.id}: health_check.log: ${(error as Error).message}`);
    }
  } else if (check.kind !== 'exec' && typeof check.port === 'string') {
    const names = component.ports.flatMap(({ name }) => name ?? []);
    if (check.port === '') complain(component, 'health_check', `${component.id}: health_check.http needs a port, or health_port`);
    else if (!names.includes(check.port)) complain(component, 'health_check', `${component.id}: no port is called ${check.port}`, () => closest(check.port as string, names));
  }
}

/** Ports of this machine that components have for themselves. */
export function portsOf({ components }: Pick<PipelineSpec, 'components'>): ReadonlySet<number> {
  const own = components.flatMap(({ ports, healthPort, healthCheck, replicas }) => {
    const check = healthCheck?.check;
    const checked = check && (check.kind === 'http' || check.kind === 'tcp') ? Number(check.port) : NaN;
    return [...ports.flatMap(({ hostPort }) => Array.from({ length: Math.max(1, replicas) }, (_, n) => hostPort + n)), healthPort ?? NaN, checked];
  });
  return new Set(own.filter((port) => !Number.isNaN(port)));
}

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
