// The Docker engine that scripts/docker-for-tests.sh starts, and projects whose components are containers of it.
// Without an engine the container tests are skipped, and say so.
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import { component, makeProject as makeNamedProject, type Part } from './helpers.js';

export const socket = join(tmpdir(), `mimas-docker-${process.getuid?.() ?? 0}`, 'docker.sock');
export const docker = new Docker({ socketPath: socket });
export const available = await docker.getImage('local-node').inspect().then(() => true, () => false);
if (!available) console.warn('\n*** SKIPPED: no container engine. Container tests need one: run scripts/docker-for-tests.sh first. ***\n');

/** The engine may serve another run of these tests at the same time. */
export const NAME = `test-${process.pid}`;
const MINE = { label: [`mimas.pipeline=${NAME}`] };
export const containers = () => docker.listContainers({ all: true, filters: MINE });
export const networks = () => docker.listNetworks({ filters: MINE });
export const folder = dirname(component);
type Stages = Parameters<ReturnType<typeof makeNamedProject>['write']>[0];

export function makeProject() {
  const project = makeNamedProject();
  Object.assign(project.env, { DOCKER_HOST: `unix://${socket}` });
  return { ...project, write: (stages: Stages, spec: object = {}) => project.write(stages, spec, NAME) };
}

export const boxed = (id: string, more: Partial<Part> = {}): Part => ({ id, image: 'local-node', pull: 'never', command: ['node', '/app/component.mjs'], volumes: [`${folder}:/app:ro`], ...more });
export const serving = (id: string, port: number, more: Partial<Part> = {}): Part => boxed(id, { health_check: { http: `http://localhost:${port}/health`, interval: '100ms' }, ports: [port], ...more, env: { PORT: port, HOST: '0.0.0.0', ...more.env } });
export const PLAIN = ['--orchestrator', 'container', '--plain', '--no-control-plane'];
