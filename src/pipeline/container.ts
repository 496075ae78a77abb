// One container that runs: its output read line by line, its end known, and nothing of it left after `stop()` or `gone()`.
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { Output, type LineListener } from '../runtime/output.js';
import { within } from '../runtime/within.js';
import { formatBytes } from '../units.js';
import { ignoreMissing, isBusy, isLost, LABEL, removeContainer } from './docker-engine.js';
import { execIn } from './container-exec.js';
import type { Exit, Running, StopSteps, Usage } from './orchestrator.js';
import type { Port } from './model.js';

const OUTPUT_GRACE_MS = 500;
const SIGNAL_BASE = 128;
const SIGKILL = 9;
const LOOPBACK = '127.0.0.1';
const NS_PER_MS = 1e6;
const HEALTH_LIMIT_MS = 10_000;
const LOST_AFTER_MS = 5000;

export interface ContainerFacts {
  readonly index: number;
  readonly ports: readonly Port[];
  readonly network: string;
  readonly stopSignal: NodeJS.Signals;
  readonly memory: number | undefined;
  /** Asks a Mimas process how it is. */
  readonly askHealth: readonly string[] | undefined;
}

export class Container implements Running {
  readonly pid: number | undefined;
  readonly container: string;
  readonly exited: Promise<Exit>;
  readonly health?: () => Promise<void>;
  readonly #container: Docker.Container;
  readonly #output: Output;
  readonly #facts: ContainerFacts;
  readonly #address: string;
  #removed: Promise<void> | undefined;

  private constructor(container: Docker.Container, output: Output, exited: Promise<Exit>, facts: ContainerFacts, { pid, address }: { pid: number | undefined; address: string }) {
    this.#container = container;
    this.#output = output;
    this.#facts = facts;
    this.#address = address;
    this.container = container.id;
    this.exited = exited;
    this.pid = pid;
    const { askHealth } = facts;
    if (!askHealth) return;
    this.health = async () => {
      const { code, output: said } = await execIn(container, askHealth, AbortSignal.timeout(HEALTH_LIMIT_MS));
      if (code !== 0) throw new Error(said.trim() || `its health could not be asked for: exit code ${code}`);
    };
  }

  /** Leaves nothing behind when it fails. */
  static async start(engine: Docker, spec: Docker.ContainerCreateOptions, facts: ContainerFacts, onLine: LineListener): Promise<Container> {
    const container = await create(engine, spec);
    try {
      // An engine does not wait for who reads.
      const output = new Output(onLine, {}, 'drop');
      // Before it starts, so that its first line is not missed.
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      engine.modem.demuxStream(stream, stdout, stderr);
      const end = () => (stdout.end(), stderr.end());
      stream.on('end', end);
      stream.on('close', end);
      stream.on('error', end);
      output.tap(stdout, 'stdout');
      output.tap(stderr, 'stderr');
      const lost = new Promise<void>((resolve) => stream.once('close', resolve));
      const exited = exitOf(container, container.wait({ condition: 'next-exit' }) as Promise<{ StatusCode: number }>, lost, facts);
      await container.start();
      const { State, NetworkSettings } = await container.inspect();
      return new Container(container, output, exited, facts, { pid: State.Pid || undefined, address: NetworkSettings.Networks[facts.network]?.IPAddress ?? LOOPBACK });
    } catch (error) {
      await removeContainer(container);
      throw error;
    }
  }

  reach(port: number): { host: string; port: number } {
    const published = this.#facts.ports.find((one) => one.port === port || one.hostPort === port);
    if (published) return { host: published.hostIp === '0.0.0.0' ? LOOPBACK : published.hostIp, port: published.hostPort + this.#facts.index };
    return { host: this.#address, port };
  }

  /** The memory without the files that the kernel merely keeps at hand, as `docker stats` counts. */
  async usage(): Promise<Usage> {
    const { cpu_stats: cpu, memory_stats: memory } = await this.#container.stats({ stream: false, 'one-shot': true });
    const cached = memory.stats?.inactive_file ?? (memory.stats as { total_inactive_file?: number } | undefined)?.total_inactive_file ?? 0;
    return { cpu: cpu.cpu_usage.total_usage / NS_PER_MS, memory: Math.max(0, (memory.usage ?? 0) - cached) };
  }

  async exec(command: readonly string[], signal: AbortSignal): Promise<number> {
    return (await execIn(this.#container, command, signal)).code;
  }

  async stop({ grace, hurry }: StopSteps): Promise<void> {
    const over = hurry.aborted ? Promise.resolve() : new Promise<void>((resolve) => hurry.addEventListener('abort', () => resolve(), { once: true }));
    if (grace > 0 && !hurry.aborted && (await this.#signal(this.#facts.stopSignal))) await within(Promise.race([this.exited, over]), grace);
    await this.#remove();
  }

  async gone(): Promise<void> {
    await this.exited;
    await this.#remove();
  }

  /** False when nobody hears it: it may have ended just now, or the engine is gone. */
  async #signal(signal: string): Promise<boolean> {
    try {
      await this.#container.kill({ signal });
      return true;
    } catch (error) {
      if (!isBusy(error) && !isLost(error)) ignoreMissing(error);
      return false;
    }
  }

  #remove(): Promise<void> {
    return (this.#removed ??= (async () => {
      await this.#signal('SIGKILL');
      await within(this.exited, OUTPUT_GRACE_MS * 4);
      await this.#output.ended(OUTPUT_GRACE_MS);
      // When the engine is gone, nothing can be removed: the orchestrator says so in the end.
      await removeContainer(this.#container).catch((error: unknown) => {
        if (!isLost(error)) throw error;
      });
    })());
  }
}

/** One of that name that could not be removed while the engine was gone makes way, when it is this owner's. */
async function create(engine: Docker, spec: Docker.ContainerCreateOptions): Promise<Docker.Container> {
  try {
    return await engine.createContainer(spec);
  } catch (error) {
    const left = isBusy(error) && spec.name !== undefined ? engine.getContainer(spec.name) : undefined;
    const owner = await left?.inspect().then(({ Config }) => Config.Labels[LABEL.owner], () => undefined);
    if (left === undefined || owner !== spec.Labels?.[LABEL.owner]) throw error;
    await removeContainer(left);
    return engine.createContainer(spec);
  }
}

/** The engine ends both connections with the container; when only the one for output has ended, and the other does not follow, the engine is gone. */
async function exitOf(container: Docker.Container, waiting: Promise<{ StatusCode: number }>, lost: Promise<void>, { memory }: ContainerFacts): Promise<Exit> {
  try {
    const known = await Promise.race([waiting.then(() => true), lost.then(() => within(waiting, LOST_AFTER_MS))]);
    if (!known) return { code: null, signal: null, reason: 'the connection to the container engine was lost' };
    const { StatusCode: code } = await waiting;
    const state = await container.inspect().then(({ State }) => State, () => undefined);
    const killed = code === SIGNAL_BASE + SIGKILL;
    if (state?.OOMKilled) return { code: null, signal: 'SIGKILL', reason: `out of memory${memory === undefined ? '' : `: its limit is ${formatBytes(memory)}`}` };
    return killed ? { code: null, signal: 'SIGKILL' } : { code, signal: null };
  } catch (error) {
    // Removed by somebody else, or the engine went away.
    return { code: null, signal: null, reason: (error as Error).message };
  }
}

