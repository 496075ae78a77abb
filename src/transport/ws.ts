// WebSocket links: one packed batch per binary message; the token stands in the Authorization header of the upgrade.
import http from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameTooLargeError, LinkClosedError, ProtocolError, UnauthorizedError, InvalidOptionError } from '../errors.js';
import { packBatch } from '../rpc/batch-codec.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link, LinkEvents } from '../rpc/link.js';
import { formatAddress, isLoopback, type WsAddress } from './address.js';
import { sameToken } from './auth.js';
import { deliverFrame } from './deliver-frame.js';
import { cannotListen, type ConnectOptions, type Listener, type ListenOptions } from './socket.js';

const BATCH_SLACK = 1024 * 1024;
const CONGESTED_BYTES = 1024 * 1024;
/** As in stream-link.ts: a serving side whose peer does not read stops reading, too. */
const PAUSE_BYTES = 32 * 1024 * 1024;
/** Time for the close handshake before the socket is cut. */
const CLOSE_GRACE = 500;

class WsLink implements Link {
  readonly level = 'bytes';
  #events: LinkEvents | undefined;
  #early: Buffer[] | undefined = [];
  #closed = false;
  #closing = false;
  #paused = false;
  #congested = false;
  #error: Error | undefined;

  constructor(
    private readonly socket: WebSocket,
    readonly label: string,
    readonly trusted: boolean,
    limit: number,
    private readonly serving: boolean,
  ) {
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.close(new ProtocolError(`${label} sent text; this protocol is binary`));
      else if (this.#early) this.#early.push(data as Buffer);
      else deliverFrame(data as Buffer, this, this.#events);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error =
        error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
          ? new FrameTooLargeError(`${label} announced a frame larger than the limit of ${limit}`, { size: limit + 1, limit })
          : error.code?.startsWith('WS_ERR_')
            ? new ProtocolError(`${label} broke the WebSocket protocol: ${error.message}`, { cause: error })
            : new LinkClosedError(`the link over ${label} broke: ${error.message}`, { cause: error });
    });
    socket.on('close', () => this.#end(this.#error));
  }

  start(events: LinkEvents): void {
    this.#events = events;
    const early = this.#early ?? [];
    this.#early = undefined;
    if (this.#closed) queueMicrotask(() => events.closed(this.#error));
    for (const message of early) deliverFrame(message, this, events);
  }

  send(entries: unknown[], attachments: unknown[]): boolean {
    if (this.#closed || this.#closing) return true;
    const chunks = packBatch(entries, attachments as Uint8Array[]);
    this.socket.send(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), this.#sent);
    if (this.socket.bufferedAmount > CONGESTED_BYTES) this.#congested = true;
    if (this.serving && !this.#paused && this.socket.bufferedAmount > PAUSE_BYTES) {
      this.#paused = true;
      this.socket.pause();
    }
    return !this.#congested;
  }

  readonly #sent = () => {
    if (!this.#congested || this.socket.bufferedAmount > 0) return;
    this.#congested = false;
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    this.#events?.drain();
  };

  close(error?: Error): void {
    if (this.#closed || (this.#closing && !error)) return;
    this.#closing = true;
    if (error) {
      this.#end(error);
      this.socket.terminate();
      return;
    }
    if (this.#paused) this.socket.resume();
    this.socket.close();
    this.#cutWhenSilent(this.socket.bufferedAmount);
  }

  /** The grace begins when everything is out, or nothing goes out any more. */
  #cutWhenSilent(unsent: number): void {
    const timer = setTimeout(() => {
      const left = this.socket.bufferedAmount;
      if (left > 0 && left < unsent) this.#cutWhenSilent(left);
      else this.socket.terminate();
    }, CLOSE_GRACE);
    timer.unref();
    this.socket.once('close', () => clearTimeout(timer));
  }

  get unsent(): number {
    return this.socket.bufferedAmount;
  }

  pause(): void {}
  resume(): void {}

  ref(): void {
    rawSocket(this.socket)?.ref();
  }

  unref(): void {
    rawSocket(this.socket)?.unref();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(error);
  }
}

/** ws keeps the socket under this name; there is no public way to ref it. */
const rawSocket = (socket: WebSocket): { ref(): void; unref(): void } | undefined => (socket as unknown as { _socket?: { ref(): void; unref(): void } })._socket;

const limitOf = (maxFrame: number | undefined): number => (maxFrame ?? DEFAULT_LIMITS.maxFrame) + BATCH_SLACK;

/** Opens a link. @throws LinkClosedError when nothing answers, UnauthorizedError when the token is refused. */
export function connectWs(address: WsAddress, options: ConnectOptions): Promise<Link> {
  const where = formatAddress(address);
  const { tls } = options;
  const socket = new WebSocket(where, {
    headers: { authorization: `Bearer ${options.token}` },
    perMessageDeflate: false,
    maxPayload: limitOf(options.maxFrame),
    handshakeTimeout: options.timeout ?? DEFAULT_LIMITS.handshakeTimeout,
    ...(tls ? { ...(tls.ca ? { ca: tls.ca } : {}), ...(tls.key ? { key: tls.key } : {}), ...(tls.cert ? { cert: tls.cert } : {}), ...(tls.servername ? { servername: tls.servername } : {}) } : {}),
  });
  const link = new WsLink(socket, where, isLoopback(address.host), limitOf(options.maxFrame), false);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(link));
    socket.once('unexpected-response', (_request, response) => {
      socket.terminate();
      reject(response.statusCode === 401 ? new UnauthorizedError(`${where} refused the token: give the one it was started with`) : new LinkClosedError(`${where} answered ${response.statusCode ?? '?'} instead of upgrading`));
    });
    socket.once('error', (error) => reject(new LinkClosedError(`cannot connect to ${where}: ${error.message}`, { cause: error })));
  });
}

/** Listens and hands over each link that showed the token. */
export async function listenWs(address: WsAddress, options: ListenOptions, onLink: (link: Link) => void): Promise<Listener> {
  const { tls } = options;
  if (address.kind === 'wss' && !(tls?.key && tls.cert)) throw new InvalidOptionError('tls: listening needs a key and a cert', { option: 'tls' });
  const handshakeTimeout = options.handshakeTimeout ?? DEFAULT_LIMITS.handshakeTimeout;
  // Node looks for late connections every 30 s unless told.
  const timeouts = { headersTimeout: handshakeTimeout, requestTimeout: handshakeTimeout, connectionsCheckingInterval: Math.max(10, Math.min(1_000, handshakeTimeout / 4)) };
  const answer: http.RequestListener = (_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end('this is a WebSocket endpoint\n');
  const server =
    address.kind === 'wss'
      ? (await import('node:https')).createServer({ ...timeouts, handshakeTimeout, key: tls?.key, cert: tls?.cert, ca: tls?.ca, requestCert: tls?.ca !== undefined, rejectUnauthorized: tls?.ca !== undefined }, answer)
      : http.createServer(timeouts, answer);
  server.maxConnections = DEFAULT_LIMITS.maxHandshakes + DEFAULT_LIMITS.maxLinks;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const silent = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' || error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    options.onRefused?.(silent ? new UnauthorizedError(`the peer stayed silent for ${handshakeTimeout} ms`) : new ProtocolError(`the peer does not speak this protocol: ${error.message}`, { cause: error }));
    socket.destroy();
  });
  // The raw ones, so that `close` ends also those that are in a TLS handshake.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: limitOf(options.maxFrame) });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    const shown = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!sameToken(options.token, shown)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      options.onRefused?.(new UnauthorizedError('the peer showed a wrong token'));
      return;
    }
    const peer = request.socket.remoteAddress ?? '';
    wss.handleUpgrade(request, socket, head, (ws) => onLink(new WsLink(ws, `${address.kind}://${peer}:${request.socket.remotePort ?? 0}`, isLoopback(peer), limitOf(options.maxFrame), true)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(formatAddress(address), error)));
    server.listen(address.port, address.host, resolve);
  });
  server.on('error', () => {});
  const bound = server.address();
  return {
    address: bound === null || typeof bound === 'string' ? address : { ...address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        for (const client of wss.clients) client.terminate();
        wss.close();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
