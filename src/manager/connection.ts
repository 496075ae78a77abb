// The proxy of a process that another program serves. A unit like any other: when the link is lost, the supervisor has it
// connected again; the proxy stays the same.
import { nanoid } from 'nanoid';
import { LinkClosedError, ProcessStoppedError, UnauthorizedError } from '../errors.js';
import { Client } from '../rpc/client.js';
import { Meter } from '../rpc/meter.js';
import { Session } from '../rpc/session.js';
import { refuseUnknown } from '../supervisor/options.js';
import type { Supervisor } from '../supervisor/supervisor.js';
import type { SyncContext, SyncResult } from '../supervisor/syncer.js';
import { within } from '../runtime/within.js';
import { formatAddress, parseAddress, type Address } from '../transport/address.js';
import { connect } from '../transport/index.js';
import type { TlsOptions } from '../transport/socket.js';
import { parseBytes, parseDuration, type Bytes, type Duration } from '../units.js';
import type { LatencyMode } from '../types.js';
import { LATENCIES, oneOf } from './options.js';
import type { Unit } from './unit.js';

/** Longest silence of the other side after the handshake, ms. */
const GREETING_MS = 5_000;

export interface ConnectProcessOptions {
  /** The token that the serving side printed or was given. */
  token?: string;
  tls?: TlsOptions;
  maxFrame?: Bytes;
  /** `'low'`: this side polls before it sleeps, as the option of `spawn` does; for both sides, the server is started with it, too. Default `'normal'`. */
  latency?: LatencyMode;
  /** Default timeout of calls. Default none. */
  timeout?: Duration;
  /** Longest wait of a call for the link to come back. Default 30 s. */
  queueTimeout?: Duration;
}

/** What `$handle` gives on a connection. */
export interface ConnectionHandle {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly status: 'connecting' | 'connected' | 'closed';
  readonly methods: readonly string[];
  close(): Promise<void>;
}

export class ManagedConnection implements Unit, ConnectionHandle {
  readonly id = `connection-${nanoid(10)}`;
  readonly client: Client;
  readonly meter = new Meter();
  name: string;
  status: ConnectionHandle['status'] = 'connecting';
  error: unknown;
  #session: Session | undefined;
  #everUp = false;

  constructor(
    private readonly target: Address,
    private readonly options: ConnectProcessOptions,
    private readonly supervisor: Supervisor<Unit>,
    private readonly self: string,
  ) {
    this.name = formatAddress(target);
    const name = () => this.name;
    this.client = new Client({
      get name() {
        return name();
      },
      get describe() {
        return `${name()} (${formatAddress(target)})`;
      },
      id: this.id,
      level: 'bytes',
      meter: this.meter,
      timeout: options.timeout === undefined ? undefined : parseDuration(options.timeout, 'timeout'),
      queueTimeout: options.queueTimeout === undefined ? undefined : parseDuration(options.queueTimeout, 'queueTimeout'),
      maxFrame: options.maxFrame === undefined ? undefined : parseBytes(options.maxFrame, 'maxFrame'),
      handle: () => this,
    });
  }

  get address(): string {
    return formatAddress(this.target);
  }

  get methods(): readonly string[] {
    return this.client.methods();
  }

  async close(): Promise<void> {
    await this.supervisor.updateProcess({ id: this.id, updateType: 'terminate', terminateOptions: { evict: true } });
  }

  async sync({ signal }: SyncContext): Promise<SyncResult | void> {
    if (this.#session) return;
    try {
      const session = await this.#openUntil(signal);
      this.#session = session;
      this.#everUp = true;
      this.status = 'connected';
      this.client.attach(session);
    } catch (error) {
      this.error = error;
      // A wrong token does not become right.
      if (!this.#everUp || error instanceof UnauthorizedError) return { terminal: true, error };
      throw error;
    }
  }

  async terminate(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.status = 'closed';
    const closed = () => new ProcessStoppedError(`${this.name}: the connection was closed`, { process: this.name, ...(this.error === undefined ? {} : { cause: this.error }) });
    this.client.refuse(closed);
    if (!session) return;
    this.client.detach(session, closed, 'nothing');
    session.close();
  }

  /** Who closes it does not wait for the other side. */
  async #openUntil(signal: AbortSignal): Promise<Session> {
    let giveUp!: () => void;
    const aborted = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal.reason as Error);
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
    });
    const opening = this.#open();
    try {
      return await Promise.race([opening, aborted]);
    } catch (error) {
      opening.then((late) => late.close(), () => {});
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #open(): Promise<Session> {
    const { maxFrame, tls, latency, token = '' } = this.options;
    const limit = maxFrame === undefined ? undefined : parseBytes(maxFrame, 'maxFrame');
    const link = await connect(this.target, { token, tls, maxFrame: limit }, latency);
    let greet!: () => void;
    let refuse!: (error: Error) => void;
    const greeted = new Promise<void>((resolve, reject) => {
      greet = resolve;
      refuse = reject;
    });
    const session: Session = new Session({
      link,
      self: this.self,
      peer: this.name,
      owned: true,
      ...(limit === undefined ? {} : { maxFrame: limit }),
      onHello: (methods, name, withheld) => {
        this.name = name;
        this.client.describeMethods(methods, withheld);
        greet();
      },
      onDrain: () => this.client.pump(),
      onClosed: (error) => {
        refuse(new LinkClosedError(`${this.address} closed before it said what it serves`, { cause: error }));
        queueMicrotask(() => this.#lost(session, error));
      },
    });
    if (!(await within(greeted, GREETING_MS))) {
      session.close();
      throw new LinkClosedError(`${this.address} did not say what it serves within ${GREETING_MS} ms`);
    }
    return session;
  }

  #lost(session: Session, error: Error | undefined): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.status = 'connecting';
    const lost = (method: string) => new LinkClosedError(`${this.name}${method && `.${method}()`}: the connection was lost${error ? `: ${error.message}` : ''}`, { process: this.name, method, cause: error });
    this.client.detach(session, lost, `${this.address} to answer again`);
    this.supervisor.notifyExit(this.id, { error: lost(''), failed: false });
  }
}

export async function connectProcess(address: string, options: ConnectProcessOptions, supervisor: Supervisor<Unit>, self: string): Promise<ManagedConnection> {
  refuseUnknown(options, ['token', 'tls', 'maxFrame', 'latency', 'timeout', 'queueTimeout'], 'connect');
  oneOf(options.latency, LATENCIES, 'latency');
  const connection = new ManagedConnection(parseAddress(address), options, supervisor, self);
  await supervisor.updateProcess({ id: connection.id, updateType: 'create', config: connection, restartPolicy: { maxRestarts: Infinity, maxFailures: Infinity, backoff: { max: '5s' } } });
  if (connection.status === 'connected') return connection;
  // The supervisor forgets it, too.
  await connection.close();
  throw connection.error;
}
