// unix, tcp and tls sockets: connect to one, listen on one. Loopback by default; the token comes before any frame.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LinkClosedError, InvalidOptionError, UnauthorizedError } from '../errors.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link } from '../rpc/link.js';
import { checkSocketPath, formatAddress, isLoopback, type Address, type SocketAddress } from './address.js';
import { admit, present, REFUSED } from './auth.js';
import type { FlowLimits } from './flow.js';
import { Handshakes } from './handshakes.js';
import { StreamLink } from './stream-link.js';

/** Certificates of a link, PEM. With `ca` on the listening side, clients must show a certificate that it signed. */
export interface TlsOptions {
  readonly key?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly ca?: string | Buffer;
  /** The name that the server's certificate must carry. Default: the host. */
  readonly servername?: string;
}

/** Until a unix listener whose queue is full is tried again. */
const QUEUE_FULL_MS = 10;
/** A connection that is silent for so long is probed by the operating system, which gives up some ten seconds later. */
const KEEP_ALIVE_MS = 30_000;

export interface ConnectOptions extends Omit<FlowLimits, 'serving'> {
  readonly token: string;
  readonly tls?: TlsOptions | undefined;
  /** Longest time for connection and handshake, ms. Default 5 s. */
  readonly timeout?: number | undefined;
}

export interface ListenOptions extends Omit<FlowLimits, 'serving'> {
  readonly token: string;
  readonly tls?: TlsOptions | undefined;
  readonly handshakeTimeout?: number | undefined;
  /** Told of a peer that was turned away. */
  readonly onRefused?: ((error: unknown) => void) | undefined;
}

export interface Listener {
  /** Where it really listens: port 0 is resolved. */
  readonly address: Address;
  /** Takes no more peers, ends the links it has, removes a socket file. */
  close(): Promise<void>;
}

/** Opens a link. @throws LinkClosedError when nothing answers, UnauthorizedError when the token is refused. */
export async function connectSocket(address: SocketAddress, options: ConnectOptions): Promise<Link> {
  const where = formatAddress(address);
  if (address.kind === 'unix') checkSocketPath(address.path, 'address', 'choose a shorter one');
  const timeout = options.timeout ?? DEFAULT_LIMITS.handshakeTimeout;
  const socket = await open(address, options, timeout, where);
  if (address.kind !== 'unix') prepare(socket);
  await present(socket, options.token, timeout, where);
  return new StreamLink(socket, { ...options, label: where, trusted: address.kind === 'unix' || isLoopback(address.host) });
}

async function open(address: SocketAddress, options: ConnectOptions, timeout: number, where: string): Promise<net.Socket> {
  const tls = address.kind === 'tls' ? await import('node:tls') : undefined;
  const by = performance.now() + timeout;
  for (;;) {
    const connecting =
      address.kind === 'unix'
        ? net.connect(address.path)
        : (tls?.connect({ host: address.host, port: address.port, servername: options.tls?.servername ?? (net.isIP(address.host) ? '' : address.host), ...secrets(options.tls) }) ?? net.connect(address.port, address.host));
    const error = await opened(connecting, tls ? 'secureConnect' : 'connect', by - performance.now(), timeout);
    if (!error) return connecting;
    connecting.destroy();
    // A unix listener whose queue is full says so at once, where a tcp one would be asked again by the operating system.
    if (error.code !== 'EAGAIN' || performance.now() + QUEUE_FULL_MS > by) throw new LinkClosedError(`cannot connect to ${where}: ${error.message}`, { cause: error });
    await pause(QUEUE_FULL_MS);
  }
}

function opened(socket: net.Socket, event: string, left: number, timeout: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(new Error(`no answer within ${timeout} ms`)), left);
    // Also what comes later must not be without a listener.
    socket.on('error', (error) => {
      clearTimeout(timer);
      resolve(error);
    });
    socket.once(event, () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/** Answers go out at once, and a peer whose machine has gone is noticed. */
export function prepare(socket: net.Socket): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
}

/** Listens and hands over each link that showed the token. */
export async function listenSocket(address: SocketAddress, options: ListenOptions, onLink: (link: Link) => void): Promise<Listener> {
  if (address.kind === 'tls' && !(options.tls?.key && options.tls.cert)) throw new InvalidOptionError('tls: listening needs a key and a cert', { option: 'tls' });
  if (address.kind === 'unix') await clearStale(checkSocketPath(address.path, 'address', 'choose a shorter one'));
  const handshakes = new Handshakes(options.handshakeTimeout ?? DEFAULT_LIMITS.handshakeTimeout, options.onRefused);
  const onSocket = (socket: net.Socket) => {
    socket.on('error', () => {});
    if (address.kind !== 'unix') prepare(socket);
    admit(socket, options.token).then(
      () => {
        if (!handshakes.done(socket)) return;
        const label = address.kind === 'unix' ? formatAddress(address) : `${address.kind}://${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
        onLink(new StreamLink(socket, { ...options, label, trusted: address.kind === 'unix' || isLoopback(socket.remoteAddress ?? ''), serving: true }));
      },
      (error: unknown) => handshakes.refuse(socket, error, REFUSED),
    );
  };
  const server: net.Server =
    address.kind === 'tls' ? (await import('node:tls')).createServer({ ...secrets(options.tls), ...(options.tls?.ca ? { requestCert: true, rejectUnauthorized: true } : {}) }, onSocket) : net.createServer(onSocket);
  server.maxConnections = DEFAULT_LIMITS.maxHandshakes + DEFAULT_LIMITS.maxLinks;
  // Ahead of TLS.
  server.prependListener('connection', handshakes.begin);
  server.on('tlsClientError', (error: Error, socket: net.Socket) => handshakes.refuse(socket, new UnauthorizedError(`the TLS handshake failed: ${error.message}`, { cause: error })));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(formatAddress(address), error)));
    server.listen(address.kind === 'unix' ? { path: address.path } : { port: address.port, host: address.host }, resolve);
  });
  // A failed accept (too many open files) is no reason to die.
  server.on('error', () => {});
  if (address.kind === 'unix') chmodSync(address.path, 0o600);
  const bound = server.address();
  return {
    address: address.kind === 'unix' || bound === null || typeof bound === 'string' ? address : { ...address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        handshakes.close();
      }),
  };
}

export const cannotListen = (where: string, error: Error): InvalidOptionError =>
  new InvalidOptionError(`cannot listen on ${where}: ${error.message}`, { option: 'listen', cause: error });

/** A socket file is removed only when it is one and nobody answers behind it. */
async function clearStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new InvalidOptionError(`unix:${path} is a file that is no socket; choose another path`, { option: 'listen' });
  const alive = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
  if (alive) throw new InvalidOptionError(`unix:${path} is in use by another process`, { option: 'listen' });
  unlinkSync(path);
}

function secrets(tls: TlsOptions | undefined): { key?: string | Buffer; cert?: string | Buffer; ca?: string | Buffer } {
  return { ...(tls?.key ? { key: tls.key } : {}), ...(tls?.cert ? { cert: tls.cert } : {}), ...(tls?.ca ? { ca: tls.ca } : {}) };
}
