// The inside of a process: loads the class, brings it up, serves it, answers its owner, takes it down.
// The same host runs in a thread, in a child and in process; only its surroundings differ.
import { threadId } from 'node:worker_threads';
import { LinkClosedError, ProcessStartError, type StartPhase } from '../errors.js';
import type { ProcessSpec } from '../decorators/index.js';
import type { Link } from '../rpc/link.js';
import { Service } from '../rpc/service.js';
import { Session } from '../rpc/session.js';
import type { Listener } from '../transport/socket.js';
import { bringUp, messageOf, runShutdownHooks, type Instance } from './bring-up.js';
import { runHealthChecks } from './health-checks.js';
import { heldAbove } from './memory-guard.js';
import type { HostControl, Started, StartOrder, StopOrder } from './protocol.js';
import { readUsage } from './usage.js';
import { within } from './within.js';

export class Host implements HostControl {
  readonly #control: Session;
  readonly #sessions = new Set<Session>();
  #instance: Instance | undefined;
  #spec: ProcessSpec | undefined;
  #listener: Listener | undefined;
  #stopping: Promise<{ failed: string[] }> | undefined;
  #vanished: Promise<void> | undefined;
  #phase: StartPhase = 'load';
  #onStarted: (() => void) | undefined;
  #failStart: ((error: unknown) => void) | undefined;

  constructor(
    link: Link,
    maxFrame: number | undefined,
    /** The owner is gone, or has closed the link after a stop. */
    onOwnerGone: (stopped: boolean) => void,
    private readonly bringUpInstance: typeof bringUp = bringUp,
  ) {
    const control = new Map<string, (...args: never[]) => unknown>([
      ['start', this.start.bind(this)],
      ['health', this.health.bind(this)],
      ['usage', this.usage.bind(this)],
      ['memory', this.memory.bind(this)],
      ['stop', this.stop.bind(this)],
    ]);
    this.#control = new Session({
      link,
      self: 'process',
      peer: 'main',
      ...(maxFrame === undefined ? {} : { maxFrame }),
      onClosed: () => onOwnerGone(this.#stopping !== undefined),
    });
    this.#control.exports.control({ invoke: (member, args) => control.get(member)!(...(args as never[])) });
    this.#sessions.add(this.#control);
  }

  /** Runs `listener` once the process is ready. */
  onStarted(listener: () => void): void {
    this.#onStarted = listener;
  }

  /** Something that nobody catches was thrown during the start. */
  failStart(error: unknown): void {
    if (this.#failStart) this.#failStart(error);
    else throw error;
  }

  async start(order: StartOrder, onPhase: (phase: StartPhase) => unknown): Promise<Started> {
    const stray = new Promise<never>((_, reject) => {
      this.#failStart = (error) =>
        reject(new ProcessStartError(`${order.file}: threw during ${this.#phase}: ${messageOf(error)}`, { file: order.file, phase: this.#phase, cause: error }));
    });
    const started = await Promise.race([this.#start(order, onPhase), stray]);
    this.#failStart = undefined;
    this.#onStarted?.();
    return started;
  }

  async #start(order: StartOrder, onPhase: (phase: StartPhase) => unknown): Promise<Started> {
    const { file, dependencies } = order;
    this.#control.peer = order.owner;
    const enter = (phase: StartPhase) => {
      this.#phase = phase;
      Promise.resolve(onPhase(phase)).catch(() => {});
      // Now, not at the end of the tick: what comes next may block for ever, or exit.
      this.#control.outbox.flush();
    };
    const { instance, spec } = await this.bringUpInstance({ file, dependencies, version: order.generation }, enter);
    enter('ready');
    this.#instance = instance;
    this.#spec = spec;
    const name = order.name ?? spec.name;
    const service = new Service(name, instance, spec.methods.values());
    const address = await this.#serve(service, order);
    const intervals = spec.healthChecks.flatMap(({ interval }) => (interval === undefined ? [] : [interval]));
    return {
      name,
      version: order.version ?? spec.version,
      description: spec.description,
      address,
      pid: process.pid,
      threadId,
      healthInterval: intervals.length > 0 ? Math.min(...intervals) : undefined,
    };
  }

  async #serve(service: Service, order: StartOrder): Promise<Started['address']> {
    const ipc = order.transport === 'ipc';
    if (ipc) {
      this.#control.serve(service);
      // An address beside the owner's own link: it is served to others, too.
      if (!order.address) return undefined;
    }
    if (!order.address) throw new ProcessStartError('no address to listen on', { file: order.file, phase: 'ready' });
    const { listen } = await import('../transport/index.js');
    const options = { token: order.token, tls: order.tls, maxFrame: order.maxFrame };
    this.#listener = await listen(order.address, options, (link) => {
      const session: Session = new Session({
        link,
        service,
        self: service.name,
        peer: link.trusted && !ipc ? order.owner : link.label,
        ...(order.maxFrame === undefined ? {} : { maxFrame: order.maxFrame }),
        onClosed: () => this.#sessions.delete(session),
      });
      this.#sessions.add(session);
    }, order.latency);
    // Its end may have come meanwhile.
    if (this.#vanished) await this.#listener.close();
    return this.#listener.address;
  }

  /** What the end of a thread or child does for its sockets, for a host that has neither. */
  vanish(): Promise<void> {
    return (this.#vanished ??= this.#cut());
  }

  async #cut(): Promise<void> {
    for (const session of this.#sessions) if (session !== this.#control) session.close(new LinkClosedError('the process has ended'));
    await this.#listener?.close();
  }

  health(timeout: number) {
    return runHealthChecks(this.#instance ?? {}, this.#spec?.healthChecks ?? [], timeout);
  }

  usage() {
    return readUsage();
  }

  memory(limit: number) {
    return heldAbove(limit);
  }

  stop(order: StopOrder): Promise<{ failed: string[] }> {
    this.#stopping ??= this.#stop(order);
    return this.#stopping;
  }

  async #stop({ reason, signal, drain, hooks }: StopOrder): Promise<{ failed: string[] }> {
    const deadline = performance.now() + hooks;
    // The stop order itself runs on the control session, so that one is idle with one call left; it is counted by then.
    await Promise.resolve();
    const others = [...this.#sessions].map((session) => session.dispatcher.idle(session === this.#control ? 1 : 0));
    await within(Promise.all(others), drain);
    const failed = await runShutdownHooks(this.#instance ?? {}, this.#spec?.shutdownHooks ?? [], { reason, signal }, Math.max(0, deadline - performance.now()));
    for (const session of this.#sessions) if (session !== this.#control) session.close();
    await within(this.#listener?.close() ?? Promise.resolve(), 1000);
    return { failed };
  }
}
