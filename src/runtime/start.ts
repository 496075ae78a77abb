// Brings a process up in its place, and says precisely why when it does not come up. A failed start leaves nothing behind.
import { InitError, ProcessStartError, LinkClosedError, MemoryLimitError, type StartPhase, isError } from '../errors.js';
import { offAbort, onAbort } from '../rpc/abort-listeners.js';
import type { Client } from '../rpc/client.js';
import { untold } from '../rpc/maybe-executed.js';
import { Session, type SessionOptions } from '../rpc/session.js';
import { connect } from '../transport/index.js';
import { formatAddress } from '../transport/address.js';
import { MAX_TIMEOUT } from '../units.js';
import type { HostControl, Started, StartOrder } from './protocol.js';
import type { Exit, Incarnation, Launch, LaunchOptions } from './runtime.js';

/** Output that explains a death may arrive just after it. */
const OUTPUT_GRACE_MS = 25;

export interface RunningProcess {
  readonly incarnation: Incarnation;
  readonly started: Started;
  /** The owner's link: control calls go here. */
  readonly control: Session;
  /** Where calls go: the same as `control` when the transport is `ipc`. */
  readonly calls: Session;
}

export interface StartOptions {
  readonly launch: Launch;
  readonly launchOptions: LaunchOptions;
  readonly order: StartOrder;
  readonly client: Client;
  /** Longest time to become ready, ms. */
  readonly startupTimeout: number;
  readonly signal?: AbortSignal | undefined;
  /** A link ended after the process was ready. */
  onLinkClosed(session: Session, error: Error | undefined): void;
}

export async function startProcess(options: StartOptions): Promise<RunningProcess> {
  const { order, startupTimeout, signal } = options;
  const incarnation = await options.launch(options.launchOptions);
  let phase: StartPhase = 'load';
  const ipc = order.transport === 'ipc';
  const control: Session = new Session({
    ...sessionOptions(options),
    link: incarnation.link,
    peer: order.name ?? 'process',
    onClosed: (error) => options.onLinkClosed(control, error),
    ...(ipc ? {} : { onHello: () => {} }),
  });
  incarnation.boundMemory?.((limit) => callControl(control, 'memory', limit));
  const withTail = async <E extends Error>(error: E): Promise<E> => {
    await incarnation.outputEnded(OUTPUT_GRACE_MS);
    const stderrTail = incarnation.stderrTail();
    return stderrTail ? Object.assign(error, { stderrTail }) : error;
  };
  let timer: NodeJS.Timeout | undefined;
  let aborts!: () => void;
  try {
    const dead = incarnation.exited.then(async (exit) => {
      throw await withTail(diedDuringStart(order.file, phase, exit, options.launchOptions.maxMemory));
    });
    const slow = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ProcessStartError(`${order.file}: not ready within ${startupTimeout} ms; it hangs in phase '${phase}' (raise startupTimeout if it needs longer)`, { file: order.file, phase })), Math.min(startupTimeout, MAX_TIMEOUT));
    });
    const aborted = new Promise<never>((_, reject) => {
      aborts = () => reject(signal!.reason);
      if (signal?.aborted) aborts();
      else if (signal) onAbort(signal, aborts);
    });
    for (const promise of [dead, aborted]) promise.catch(() => {});
    const bringUp = async (): Promise<RunningProcess> => {
      const started = (await callControl(control, 'start', order, (next: StartPhase) => {
        phase = next;
      })) as Started;
      const calls = ipc ? control : await openCalls(started, options);
      return { incarnation, started, control, calls };
    };
    return await Promise.race([bringUp(), dead, slow, aborted]);
  } catch (error) {
    const failure = asStartError(error, order.file, phase, signal);
    if (failure instanceof ProcessStartError || failure instanceof InitError) await withTail(failure as Error);
    for (const call of control.abandon(() => failure as Error)) call.fail(failure);
    incarnation.kill();
    await incarnation.gone();
    throw untold(failure);
  } finally {
    clearTimeout(timer);
    if (signal) offAbort(signal, aborts);
  }
}

/** Connects to where the process says it serves, and waits for its greeting. */
export async function openCalls(started: Started, options: StartOptions): Promise<Session> {
  const { order, client } = options;
  if (!started.address) throw new LinkClosedError(`${started.name} told no address to call it at`);
  const link = await connect(started.address, { token: order.token, tls: order.tls, maxFrame: order.maxFrame }, order.latency);
  let greet!: () => void;
  let refuse!: (error: Error) => void;
  const greeted = new Promise<void>((resolve, reject) => {
    greet = resolve;
    refuse = reject;
  });
  const session: Session = new Session({
    ...sessionOptions(options),
    link,
    peer: started.name,
    onHello: (methods, _name, withheld) => {
      client.describeMethods(methods, withheld);
      greet();
    },
    onClosed: (error) => {
      refuse(new LinkClosedError(`${formatAddress(started.address!)} closed before it said what it serves`, { cause: error }));
      options.onLinkClosed(session, error);
    },
  });
  await greeted;
  return session;
}

function sessionOptions({ order, client }: StartOptions): Omit<SessionOptions, 'link' | 'peer'> {
  return {
    self: order.owner,
    owned: true,
    ...(order.maxFrame === undefined ? {} : { maxFrame: order.maxFrame }),
    onDrain: () => client.pump(),
    onHello: (methods, _name, withheld) => client.describeMethods(methods, withheld),
  };
}

/** Calls one of the host's control functions. */
export const callControl = <K extends keyof HostControl>(control: Session, name: K, ...args: Parameters<HostControl[K]>): Promise<Awaited<ReturnType<HostControl[K]>>> =>
  control.callReference(0, name, args) as Promise<Awaited<ReturnType<HostControl[K]>>>;

function asStartError(error: unknown, file: string, phase: StartPhase, signal: AbortSignal | undefined): unknown {
  if (error instanceof ProcessStartError || error instanceof InitError || error instanceof MemoryLimitError || (signal?.aborted && error === signal.reason)) return error;
  return new ProcessStartError(`${file}: failed in phase '${phase}': ${isError(error) ? error.message : String(error)}`, { file, phase, cause: error });
}

function diedDuringStart(file: string, phase: StartPhase, exit: Exit, maxMemory: number | undefined): Error {
  if (exit.outOfMemory) return new MemoryLimitError(`${file}: went over its memory limit during start`, { limit: maxMemory ?? 0, process: file });
  const how = exit.error ? exit.error.message : exit.signal ? `was ended by ${exit.signal}` : `exited with code ${exit.code}`;
  return new ProcessStartError(`${file}: ${exit.error ? 'threw' : 'ended'} in phase '${phase}', before it was ready: ${how}`, { file, phase, exitCode: exit.code, signal: exit.signal, ...(exit.error ? { cause: exit.error } : {}) });
}
