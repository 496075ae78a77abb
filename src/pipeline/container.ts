// One container that runs: its output read line by line, its end known, and nothing of it left after `stop()` or `gone()`.
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { Output, type LineListener } from '../runtime/output.js';
import { within } from '../runtime/within.js';
import { formatBytes } from '../units.js';
import { ignoreMissing, isBusy, removeContainer } from './docker-engine.js';
import type { Exit, Running, StopSteps } from './orchestrator.js';
import type { Port } from './model.js';

const OUTPUT_GRACE_MS = 500;
const SIGNAL_BASE = 128;
const SIGKILL = 9;
const LOOPBACK = '127.0.0.1';

export interface ContainerFacts {
  readonly index: number;
  readonly ports: readonly Port[];
  readonly network: string;
  readonly stopSignal: NodeJS.Signals;
  readonly memory: number | undefined;
}

export class Container implements Running {
  readonly pid: number | undefined;
  readonly container: string;
  readonly exited: Promise<Exit>;
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
  }

  /** Leaves nothing behind when it fails. */
  static async start(engine: Docker, spec: Docker.ContainerCreateOptions, facts: ContainerFacts, onLine: LineListener): Promise<Container> {
    const container = await engine.createContainer(spec);
    try {
      const output = new Output(onLine);
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
      const exited = exitOf(container, container.wait({ condition: 'next-exit' }) as Promise<{ StatusCode: number }>, facts);
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

  async exec(command: readonly string[], signal: AbortSignal): Promise<number> {
    const exec = await this.#container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    stream.resume();
    const abort = () => stream.destroy();
    signal.addEventListener('abort', abort, { once: true });
    await new Promise((resolve) => {
      stream.on('end', resolve);
      stream.on('close', resolve);
      stream.on('error', resolve);
    });
    signal.removeEventListener('abort', abort);
    return (await exec.inspect()).ExitCode ?? -1;
  }

  async stop({ grace, hurry }: StopSteps): Promise<void> {
    const over = hurry.aborted ? Promise.resolve() : new Promise<void>((resolve) => hurry.addEventListener('abort', () => resolve(), { once: true }));
    if (grace > 0 && !hurry.aborted) {
      await this.#signal(this.#facts.stopSignal);
      await within(Promise.race([this.exited, over]), grace);
    }
    await this.#remove();
  }

  async gone(): Promise<void> {
    await this.exited;
    await this.#remove();
  }

  async #signal(signal: string): Promise<void> {
    // It may have ended just now.
    await this.#container.kill({ signal }).catch((error: unknown) => isBusy(error) || ignoreMissing(error));
  }

  #remove(): Promise<void> {
    return (this.#removed ??= (async () => {
      await this.#signal('SIGKILL');
      await within(this.exited, OUTPUT_GRACE_MS * 4);
      await this.#output.ended(OUTPUT_GRACE_MS);
      await removeContainer(this.#container);
    })());
  }
}

async function exitOf(container: Docker.Container, waiting: Promise<{ StatusCode: number }>, { memory }: ContainerFacts): Promise<Exit> {
  try {
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

