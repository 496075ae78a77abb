// WebSocket links: connect to one, listen for them. The token stands in the Authorization header of the upgrade.
import http from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { LinkClosedError, ProtocolError, UnauthorizedError, InvalidOptionError } from '../errors.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import type { Link } from '../rpc/link.js';
import { formatAddress, isLoopback, type WsAddress } from './address.js';
import { sameToken } from './auth.js';
import { Handshakes } from './handshakes.js';
import { cannotListen, prepare, type ConnectOptions, type Listener, type ListenOptions } from './socket.js';
import { largestMessage, WsLink } from './ws-link.js';

/** Longest wait for the peer's end of a WebSocket that it has closed. An object, for the library's types do not know it. */
const CLOSE_TIMEOUT = { closeTimeout: 1_000 };
const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** Opens a link. @throws LinkClosedError when nothing answers, UnauthorizedError when the token is refused. */
export function connectWs(address: WsAddress, options: ConnectOptions): Promise<Link> {
  const where = formatAddress(address);
  const { tls } = options;
  const socket = new WebSocket(where, {
    headers: { authorization: `Bearer ${options.token}` },
    perMessageDeflate: false,
    maxPayload: largestMessage(options.maxFrame),
    ...CLOSE_TIMEOUT,
    handshakeTimeout: options.timeout ?? DEFAULT_LIMITS.handshakeTimeout,
    ...(tls ? { ...(tls.ca ? { ca: tls.ca } : {}), ...(tls.key ? { key: tls.key } : {}), ...(tls.cert ? { cert: tls.cert } : {}), ...(tls.servername ? { servername: tls.servername } : {}) } : {}),
  });
  const link = new WsLink(socket, { ...options, label: where, trusted: isLoopback(address.host) });
  return new Promise((resolve, reject) => {
    socket.once('upgrade', ({ socket: raw }) => prepare(raw));
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
  const handshakes = new Handshakes(options.handshakeTimeout ?? DEFAULT_LIMITS.handshakeTimeout, options.onRefused);
  const answer: http.RequestListener = (_request, response) => response.writeHead(426, { upgrade: 'websocket', connection: 'close' }).end('this is a WebSocket endpoint\n');
  const server = address.kind === 'wss' ? (await import('node:https')).createServer({ key: tls?.key, cert: tls?.cert, ca: tls?.ca, requestCert: tls?.ca !== undefined, rejectUnauthorized: tls?.ca !== undefined }, answer) : http.createServer(answer);
  server.maxConnections = DEFAULT_LIMITS.maxHandshakes + DEFAULT_LIMITS.maxLinks;
  // Ahead of TLS and HTTP, so that it counts and ends whatever is no link yet: silence, slow headers, requests that are no upgrade.
  server.prependListener('connection', handshakes.begin);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => handshakes.refuse(socket as Socket, new ProtocolError(`the peer does not speak this protocol: ${error.message}`, { cause: error })));
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: largestMessage(options.maxFrame), ...CLOSE_TIMEOUT });
  server.on('upgrade', (request, duplex, head) => {
    const socket = duplex as Socket;
    socket.on('error', () => {});
    const shown = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!sameToken(options.token, shown)) {
      handshakes.refuse(socket, new UnauthorizedError('the peer showed a wrong token'), UNAUTHORIZED);
      return;
    }
    const peer = socket.remoteAddress ?? '';
    const label = `${address.kind}://${peer}:${socket.remotePort ?? 0}`;
    wss.handleUpgrade(request, socket, head, (ws) => {
      if (!handshakes.done(socket)) return;
      prepare(socket);
      onLink(new WsLink(ws, { ...options, label, trusted: isLoopback(peer), serving: true }));
    });
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
        handshakes.close();
      }),
  };
}
