// The other end of a link, in the hands of somebody who knows the protocol and does not keep to it. It speaks bodies of frames over
// unix, tcp, tls, ws and wss, as the side that connects or as the one that listens.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { unpackBatch } from '#mimas/rpc/batch-codec.js';
import { parseAddress } from '#mimas/transport/address.js';
import { bodyOf, pack, u32 } from './raw-bytes.js';

export const SOCKETS = ['unix', 'tcp', 'ws', 'tls', 'wss'] as const;
export type SocketName = (typeof SOCKETS)[number];
export interface Certificate { readonly key: Buffer; readonly cert: Buffer }

export interface Batch { readonly entries: readonly unknown[]; readonly attachments: readonly Uint8Array[] }
type Listener = (batch: Batch) => void;

const MAGIC = 'MIMAS1\n';

/** One connection that has got past the door. */
export abstract class RawPeer {
  readonly batches: Batch[] = [];
  closed = false;
  /** Resolves when the other side, or this one, has ended it. */
  readonly ended: Promise<void>;
  #end!: () => void;
  readonly #listeners = new Set<Listener>();
  #unwritten = 0;
  #onWritten = () => {};

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** The socket below everything. */
  abstract readonly socket: net.Socket;
  /** Sends a body as it is; false when the other side does not keep up. */
  abstract sendBody(body: Uint8Array): boolean;
  /** One body in pieces of `size` bytes, each of which arrives alone. */
  abstract sendPieces(body: Uint8Array, size: number): Promise<void>;
  abstract destroy(): void;

  send(entries: readonly unknown[], attachments: readonly Uint8Array[] = []): boolean {
    return this.sendBody(bodyOf(pack(entries), attachments));
  }

  /** Waits until the other side has taken what was sent. (No socket says `drain` of less than its high-water mark, and tls holds each write for a while.) */
  async drained(): Promise<void> {
    while (!this.closed && this.#unwritten > 0) await Promise.race([new Promise<void>((resolve) => (this.#onWritten = resolve)), this.ended]);
  }

  /** Whether the other side holds something back. */
  get heldBack(): boolean {
    return this.#unwritten > 0;
  }

  /** Told of each write that the operating system has taken; to be passed with it. */
  protected writing(): () => void {
    this.#unwritten++;
    return () => {
      if (--this.#unwritten === 0) this.#onWritten();
    };
  }

  /** Resolves with what `look` finds in a batch, or with undefined at the end of the link. */
  until<T>(look: (batch: Batch) => T | undefined): Promise<T | undefined> {
    return new Promise((resolve) => {
      const listener: Listener = (batch) => {
        const found = look(batch);
        if (found !== undefined) done(found);
      };
      const done = (found: T | undefined) => {
        this.#listeners.delete(listener);
        resolve(found);
      };
      this.#listeners.add(listener);
      void this.ended.then(() => done(undefined));
      this.batches.forEach(listener);
    });
  }

  onBatch(listener: Listener): void {
    this.#listeners.add(listener);
  }

  protected received(body: Uint8Array): void {
    const batch = unpackBatch(body);
    // What nobody will look for is not kept: a flood of answers is part of the trade.
    if (this.batches.length < 64) this.batches.push(batch);
    for (const listener of this.#listeners) listener(batch);
  }

  protected over(): void {
    this.closed = true;
    this.#end();
  }
}

class StreamPeer extends RawPeer {
  #rest: Buffer = Buffer.alloc(0);

  constructor(readonly socket: net.Socket, head: Buffer) {
    super();
    socket.on('error', () => {});
    socket.on('close', () => this.over());
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk) => this.#read(chunk));
    if (head.length > 0) this.#read(head);
    socket.resume();
  }

  sendBody(body: Uint8Array): boolean {
    this.socket.cork();
    this.socket.write(u32(body.length));
    const room = this.socket.write(body, this.writing());
    this.socket.uncork();
    return room;
  }

  async sendPieces(body: Uint8Array, size: number): Promise<void> {
    this.socket.write(u32(body.length));
    await piece(this, body, size, (part) => this.socket.write(part));
  }

  destroy(): void {
    this.socket.destroy();
    this.over();
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32LE(0)) {
      const end = 4 + this.#rest.readUInt32LE(0);
      this.received(this.#rest.subarray(4, end));
      this.#rest = this.#rest.subarray(end);
    }
  }
}

class WsPeer extends RawPeer {
  constructor(private readonly ws: WebSocket, readonly socket: net.Socket) {
    super();
    ws.on('error', () => {});
    ws.on('close', () => this.over());
    ws.on('message', (data) => this.received(data as Buffer));
  }

  sendBody(body: Uint8Array): boolean {
    if (this.ws.readyState === this.ws.OPEN) this.ws.send(body, this.writing());
    return this.ws.bufferedAmount < 1024 * 1024;
  }

  async sendPieces(body: Uint8Array, size: number): Promise<void> {
    await piece(this, body, size, (part, last) => this.ws.readyState === this.ws.OPEN && this.ws.send(part, { fin: last }));
  }

  destroy(): void {
    this.ws.terminate();
    this.over();
  }
}

/** The other side gets turns in between, so that it reads them one by one. */
async function piece(peer: RawPeer, body: Uint8Array, size: number, send: (part: Uint8Array, last: boolean) => unknown): Promise<void> {
  for (let at = 0, sent = 0; at < body.length && !peer.closed; at += size) {
    send(body.subarray(at, at + size), at + size >= body.length);
    if (++sent % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Connects and shows the token. */
export async function reach(address: string, token: string): Promise<RawPeer> {
  const target = parseAddress(address);
  if (target.kind === 'ws' || target.kind === 'wss') {
    const ws = new WebSocket(`${target.kind}://${target.host}:${target.port}/`, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false, rejectUnauthorized: false });
    const upgraded = once(ws, 'upgrade') as Promise<[http.IncomingMessage]>;
    // What comes right behind the upgrade has to find its listener.
    const peer = upgraded.then(([response]) => new WsPeer(ws, response.socket));
    const [made] = await Promise.all([peer, once(ws, 'open')]);
    return made;
  }
  const socket = target.kind === 'unix' ? net.connect(target.path) : target.kind === 'tcp' ? net.connect(target.port, target.host) : tls.connect({ host: target.host, port: target.port, rejectUnauthorized: false });
  await once(socket, target.kind === 'tls' ? 'secureConnect' : 'connect');
  socket.setNoDelay?.(true);
  socket.on('error', () => {});
  const shown = Buffer.from(token);
  socket.write(Buffer.concat([Buffer.from(MAGIC), Buffer.of(shown.length & 255, shown.length >> 8), shown]));
  const head = await first(socket, 1);
  if (head[0] !== 1) throw new Error(`${address} refused the token`);
  return new StreamPeer(socket, head.subarray(1));
}

/** At least `count` bytes. */
function first(socket: net.Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      if (head.length < count) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      resolve(head);
    };
    const onClose = () => reject(new Error('closed in the handshake'));
    socket.on('data', onData);
    socket.once('close', onClose);
  });
}

export interface RawListener { readonly address: string; close(): Promise<void> }

/** Listens, takes any token, and hands over who comes. `path`: of a unix socket. */
export async function lieInWait(name: SocketName, { path, certificate }: { path: string; certificate: Certificate | undefined }, onPeer: (peer: RawPeer) => void): Promise<RawListener> {
  const sockets = new Set<net.Socket>();
  const track = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const admit = async (socket: net.Socket) => {
    track(socket);
    const head = await first(socket, MAGIC.length + 2);
    const used = MAGIC.length + 2 + head.readUInt16LE(MAGIC.length);
    const rest = head.length < used ? Buffer.concat([head, await first(socket.resume(), used - head.length)]) : head;
    socket.write(Buffer.of(1));
    onPeer(new StreamPeer(socket, rest.subarray(used)));
  };
  const onSocket = (socket: net.Socket) => void admit(socket).catch(() => socket.destroy());
  const server = name === 'ws' ? http.createServer() : name === 'wss' ? https.createServer({ ...certificate }) : name === 'tls' ? tls.createServer({ ...certificate }, onSocket) : net.createServer(onSocket);
  if (name === 'ws' || name === 'wss') {
    const upgrades = new WebSocketServer({ server: server as http.Server, perMessageDeflate: false });
    server.on('connection', track);
    upgrades.on('connection', (ws, request) => onPeer(new WsPeer(ws, request.socket)));
  }
  await new Promise<void>((resolve) => server.listen(name === 'unix' ? { path } : { port: 0, host: '127.0.0.1' }, resolve));
  const address = name === 'unix' ? `unix:${path}` : `${name}://127.0.0.1:${(server.address() as net.AddressInfo).port}${name.startsWith('ws') ? '/' : ''}`;
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

