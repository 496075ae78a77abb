// Components as containers: one bridge network on which they find each other by name, and nothing left behind, whatever happens.
import { spawn, type ChildProcess } from 'node:child_process';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { EngineUnavailableError, PipelineRunningError, ProcessStartError } from '../errors.js';
import { environmentOf } from '../runtime/environment.js';
import { takenPort } from '../runtime/listeners.js';
import { processFacts } from '../runtime/process-facts.js';
import { Container } from './container.js';
import { containerSpec, rewriteLocalhost, type Place } from './container-spec.js';
import { connectEngine, ensureImage, ignoreMissing, LABEL, removeAll } from './docker-engine.js';
import type { Component, PipelineSpec } from './model.js';
import { PROCESS_HOST } from './process-mounts.js';
import type { Launch, Orchestrator, Preparation, Refusal, Running } from './orchestrator.js';

const LOOPBACK = '127.0.0.1';
const GUARDIAN = fileURLToPath(new URL('./container-guardian.js', import.meta.url));

export interface ContainerOptions {
  /** `localhost:<port>` in variables becomes the peer's name (default true). */
  readonly rewriteLocalhost?: boolean;
}

export class ContainerOrchestrator implements Orchestrator {
  readonly type = 'container';
  readonly #rewrite: boolean;
  readonly #owner = `${hostname()}/${process.pid}/${processFacts(process.pid)?.startTicks ?? 0}`;
  #engine: Docker | undefined;
  #pipeline: PipelineSpec | undefined;
  #network: string | undefined;
  #gateway: string | undefined;
  #guardian: ChildProcess | undefined;

  constructor({ rewriteLocalhost: rewrite = true }: ContainerOptions = {}) {
    this.#rewrite = rewrite;
  }

  refusals({ id, kind, image, process: file }: Component): Refusal[] {
    if (image) return [];
    if (file) return [{ field: 'process', message: `${id}: a process file needs an image with Node.js beside it to run with --orchestrator container, such as image: node:22-slim` }];
    return [{ field: '', message: `${kind} ${id} has no image: it cannot run with --orchestrator container` }];
  }

  async prepare(pipeline: PipelineSpec, preparation: Preparation): Promise<void> {
    // Of a new version that cannot be had, nothing is taken over.
    this.#pipeline ??= pipeline;
    const engine = (this.#engine ??= await connectEngine());
    await Promise.all([...pullsOf(pipeline)].map(([image, pull]) => ensureImage(engine, image, pull, preparation)));
    this.#pipeline = pipeline;
    if (this.#network !== undefined) return;
    await this.#clearLeftovers(engine, pipeline.name);
    this.#guard(pipeline.name);
    const name = `mimas-${pipeline.name}`;
    const labels = { ...pipeline.labels, [LABEL.pipeline]: pipeline.name, [LABEL.owner]: this.#owner };
    const network = await engine.createNetwork({ Name: name, Driver: 'bridge', CheckDuplicate: true, Labels: labels });
    this.#network = name;
    const { IPAM } = (await network.inspect()) as { IPAM?: { Config?: { Gateway?: string }[] } };
    this.#gateway = IPAM?.Config?.[0]?.Gateway;
  }

  controlPlane(): { listen: readonly string[]; tell: string } {
    return { listen: this.#local() ? [LOOPBACK, this.#gateway!] : [LOOPBACK], tell: 'host.docker.internal' };
  }

  async start({ replica, env, signal, onLine }: Launch): Promise<Running> {
    const { component, index, id } = replica;
    const pipeline = this.#pipeline!;
    const network = this.#network!;
    const place: Place = { pipeline, network, owner: this.#owner, host: this.#local() ? this.#gateway! : 'host-gateway' };
    const rewritten = this.#rewrite ? Object.fromEntries(Object.entries(env).map(([name, value]) => [name, rewriteLocalhost(value, component, pipeline.components)])) : env;
    const facts = { index, ports: component.ports, network, stopSignal: component.stop.signal, memory: (component.container.limits ?? component.limits)?.memory, askHealth: component.process === undefined || component.container.command !== undefined ? undefined : ['node', PROCESS_HOST, 'health'] };
    const taken = this.#local() ? await takenPort(component.ports.map(({ hostPort, hostIp, protocol }) => ({ port: hostPort + index, protocol, host: hostIp }))) : undefined;
    if (taken !== undefined) throw new ProcessStartError(taken, { file: component.image!, phase: 'resolve' });
    try {
      const container = await Container.start(this.#engine!, containerSpec(replica, rewritten, place), facts, onLine);
      if (signal.aborted) await container.stop({ grace: 0, hurry: signal });
      return container;
    } catch (error) {
      throw new ProcessStartError(`${id}: its container could not be started: ${reasonOf(error)}`, { file: component.image!, phase: 'resolve', cause: error });
    }
  }

  async close(): Promise<void> {
    try {
      if (this.#engine && this.#pipeline) await removeAll(this.#engine, [`${LABEL.pipeline}=${this.#pipeline.name}`, `${LABEL.owner}=${this.#owner}`]);
    } catch (error) {
      throw new EngineUnavailableError(`containers or the network of ${this.#pipeline?.name} may be left, because the engine does not let them be removed (${reasonOf(error)}); the next start removes them`, { cause: error });
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#network = undefined;
    this.#guardian?.stdin?.end('done\n');
    this.#guardian = undefined;
  }

  /** An engine on this machine, whose networks have their gateway here. */
  #local(): boolean {
    const { DOCKER_HOST: where = 'unix://' } = process.env;
    return this.#gateway !== undefined && process.platform === 'linux' && where.startsWith('unix://');
  }

  /** What a pipeline of this name left that was killed together with its guardian. @throws PipelineRunningError when it is alive */
  async #clearLeftovers(engine: Docker, name: string): Promise<void> {
    const filters = { label: [`${LABEL.pipeline}=${name}`] };
    const found = [...(await engine.listContainers({ all: true, filters })), ...(await engine.listNetworks({ filters }))];
    const owners = new Set(found.map(({ Labels }) => Labels?.[LABEL.owner]).filter((owner) => owner !== undefined));
    for (const owner of owners) {
      const [host, pid, ticks] = owner.split('/');
      if (host !== hostname() || processFacts(Number(pid))?.startTicks === ticks) throw new PipelineRunningError(`a pipeline called ${name} runs already, by process ${pid} of ${host}`);
      await removeAll(engine, [`${LABEL.pipeline}=${name}`, `${LABEL.owner}=${owner}`]).catch(ignoreMissing);
    }
  }

  #guard(pipeline: string): void {
    this.#guardian = spawn(process.execPath, [GUARDIAN, pipeline, this.#owner], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: environmentOf(undefined) });
    this.#guardian.on('error', () => {});
    this.#guardian.stdin!.on('error', () => {});
    this.#guardian.unref();
    (this.#guardian.stdin as unknown as { unref?(): void }).unref?.();
  }
}

/** Of several components with one image, who wants it pulled has his way. */
function pullsOf({ components }: PipelineSpec): Map<string, Component['pull']> {
  const pulls = new Map<string, Component['pull']>();
  const eagerness = ['never', 'missing', 'always'] as const;
  for (const { image, pull } of components) {
    if (image !== undefined && eagerness.indexOf(pull) >= eagerness.indexOf(pulls.get(image) ?? 'never')) pulls.set(image, pull);
  }
  return pulls;
}

const reasonOf = (error: unknown): string => (error as { json?: { message?: string } }).json?.message ?? (error as Error).message;
