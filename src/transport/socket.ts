// unix, tcp and tls sockets: connect to one, listen on one. Loopback by default; the token comes before any frame.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { LinkClosedError, InvalidOptionError, UnauthorizedError } from '../errors.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link } from '../rpc/link.js';
import { formatAddress, isLoopback, type Address, type SocketAddress } from './address.js';
import { admit, present } from './auth.js';
import { StreamLink } from './stream-link.js';

/** Certificates of a link, PEM. With `ca` on the listening side, clients must show a certificate that it signed. */
export interface TlsOptions {
  readonly key?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly ca?: string | Buffer;
  /** The name that the server's certificate must carry. Default: the host. */
  readonly servername?: string;
}

export interface ConnectOptions {
  readonly token: string;
  readonly tls?: TlsOptions | undefined;
  readonly maxFrame?: number | undefined;
  /** Longest time for connection and handshake, ms. Default 5 s. */
  readonly timeout?: number | undefined;
}

export interface ListenOptions {
  readonly token: string;
  readonly tls?: TlsOptions | undefined;
  readonly maxFrame?: number | undefined;
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
  const timeout = options.timeout ?? DEFAULT_LIMITS.handshakeTimeout;
  const socket = await open(address, options, timeout, where);
  if (address.kind !== 'unix') socket.setNoDelay(true);
  const head = await present(socket, options.token, timeout, where).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  return new StreamLink(socket, { label: where, trusted: address.kind === 'unix' || isLoopback(address.host), maxFrame: options.maxFrame, head });
}

async function open(address: SocketAddress, options: ConnectOptions, timeout: number, where: string): Promise<net.Socket> {
  const connecting: net.Socket =
    address.kind === 'unix'
      ? net.connect(address.path)
      : address.kind === 'tcp'
        ? net.connect(address.port, address.host)
        : (await import('node:tls')).connect({ host: address.host, port: address.port, servername: options.tls?.servername ?? (net.isIP(address.host) ? '' : address.host), ...secrets(options.tls) });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      clearTimeout(timer);
      connecting.destroy();
      reject(new LinkClosedError(`cannot connect to ${where}: ${error.message}`, { cause: error }));
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeout} ms`)), timeout);
    connecting.once('error', fail);
    connecting.once(address.kind === 'tls' ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      connecting.off('error', fail);
      connecting.on('error', () => {});
      resolve(connecting);
    });
  });
}

/** Listens and hands over each link that showed the token. */
export async function listenSocket(address: SocketAddress, options: ListenOptions, onLink: (link: Link) => void): Promise<Listener> {
  if (address.kind === 'tls' && !(options.tls?.key && options.tls.cert)) throw new InvalidOptionError('tls: listening needs a key and a cert', { option: 'tls' });
  if (address.kind === 'unix') await clearStale(address.path);
  const open = new Set<net.Socket>();
  const handshakeTimeout = options.handshakeTimeout ?? DEFAULT_LIMITS.handshakeTimeout;
  let handshakes = 0;
  const track = (socket: net.Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // Whoever holds the socket listens, too; this covers the moments in between.
    socket.on('error', () => {});
  };
  const onSocket = (socket: net.Socket) => {
    track(socket);
    if (handshakes >= DEFAULT_LIMITS.maxHandshakes) {
      socket.destroy();
      options.onRefused?.(new UnauthorizedError(`more than ${DEFAULT_LIMITS.maxHandshakes} connections in their handshake at once`));
      return;
    }
    handshakes++;
    if (address.kind !== 'unix') socket.setNoDelay(true);
    admit(socket, options.token, handshakeTimeout)
      .finally(() => handshakes--)
      .then(
        (head) => {
          const peer = address.kind === 'unix' ? formatAddress(address) : `${address.kind}://${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
          onLink(new StreamLink(socket, { label: peer, trusted: address.kind === 'unix' || isLoopback(socket.remoteAddress ?? ''), maxFrame: options.maxFrame, head, serving: true }));
        },
        (error: unknown) => options.onRefused?.(error),
      );
  };
  const server: net.Server =
    address.kind === 'tls'
      ? (await import('node:tls')).createServer({ ...secrets(options.tls), handshakeTimeout, ...(options.tls?.ca ? { requestCert: true, rejectUnauthorized: true } : {}) }, onSocket)
      : net.createServer(onSocket);
  server.maxConnections = DEFAULT_LIMITS.maxHandshakes + DEFAULT_LIMITS.maxLinks;
  if (address.kind === 'tls') {
    // The raw sockets, too: `close` has to end those that are in their handshake.
    server.on('connection', track);
    server.on('tlsClientError', (error: Error, socket: net.Socket) => {
      socket.destroy();
      options.onRefused?.(new UnauthorizedError(`the TLS handshake failed: ${error.message}`, { cause: error }));
    });
  }
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
        for (const socket of open) socket.destroy();
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
