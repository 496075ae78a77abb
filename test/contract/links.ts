// Pairs of joined links of every transport, and what tests need to listen to one end.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Link } from '#mimas/rpc/link.js';
import type { Address } from '#mimas/transport/address.js';
import { connect, listen } from '#mimas/transport/index.js';
import { withLatency } from '#mimas/transport/polled-link.js';
import { memoryLinks } from '#mimas/transport/memory.js';
import { PortLink } from '#mimas/transport/port.js';
import type { ConnectOptions, Listener, ListenOptions } from '#mimas/transport/socket.js';
import { StreamLink } from '#mimas/transport/stream-link.js';
import { temporaryFolder } from '../helpers/temporary.js';

export const TOKEN = 'a-token-of-the-tests';
export const folder = temporaryFolder('mimas-links-');

let certificate: { key: Buffer; cert: Buffer } | undefined;
/** Self-signed for 127.0.0.1. */
export function tlsOf(): { key: Buffer; cert: Buffer } {
  if (!certificate) {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    certificate = { key: readFileSync(key), cert: readFileSync(cert) };
  }
  return certificate;
}

export const SOCKETS = ['unix', 'tcp', 'tls', 'ws', 'wss'] as const;
/** `polled`: with `latency: 'low'` on both sides. */
export const KINDS = ['memory', 'port', 'polled port', 'pipe', 'polled pipe', ...SOCKETS] as const;
export type SocketKind = (typeof SOCKETS)[number];
export type Kind = (typeof KINDS)[number];

let sockets = 0;
export function addressOf(kind: SocketKind): Address {
  if (kind === 'unix') return { kind, path: join(folder, `${++sockets}.sock`) };
  return kind === 'ws' || kind === 'wss' ? { kind, host: '127.0.0.1', port: 0, path: '/' } : { kind, host: '127.0.0.1', port: 0 };
}

export const isSecure = (kind: string) => kind === 'tls' || kind === 'wss';

export interface Serving { listener: Listener; next(): Promise<Link>; refused: unknown[]; onRefused: Promise<unknown> }

export async function serve(kind: SocketKind, options: Partial<ListenOptions> = {}, address = addressOf(kind)): Promise<Serving> {
  const links: Link[] = [];
  const waiting: ((link: Link) => void)[] = [];
  const refused: unknown[] = [];
  let refuse!: (error: unknown) => void;
  const onRefused = new Promise<unknown>((resolve) => (refuse = resolve));
  const listener = await listen(address, { token: TOKEN, ...(isSecure(kind) ? { tls: tlsOf() } : {}), onRefused: (error) => (refused.push(error), refuse(error)), ...options }, (link) => {
    const take = waiting.shift();
    if (take) take(link);
    else links.push(link);
  });
  return { listener, refused, onRefused, next: () => (links.length > 0 ? Promise.resolve(links.shift()!) : new Promise((resolve) => waiting.push(resolve))) };
}

export const reach = (serving: Serving, maxFrame?: number, token = TOKEN, options: Partial<ConnectOptions> = {}): Promise<Link> =>
  connect(serving.listener.address, { token, maxFrame, ...options, ...(isSecure(serving.listener.address.kind) ? { tls: { ca: tlsOf().cert } } : {}) });

export interface Pair { left: Link; right: Link; end(): Promise<void> }

/** `left` is the side that connects. */
export async function pairOf(kind: Kind, maxFrame?: number): Promise<Pair> {
  if (kind === 'polled port' || kind === 'polled pipe') {
    const { left, right, end } = await pairOf(kind === 'polled port' ? 'port' : 'pipe', maxFrame);
    return { left: withLatency(left, 'low'), right: withLatency(right, 'low'), end };
  }
  if (kind === 'memory') {
    const [left, right] = memoryLinks();
    return { left, right, end: async () => left.close() };
  }
  if (kind === 'port') {
    const { port1, port2 } = new MessageChannel();
    return { left: new PortLink(port1, 'left'), right: new PortLink(port2, 'right'), end: async () => port1.close() };
  }
  if (kind === 'pipe') {
    const [one, two] = await socketPair();
    const options = { trusted: true, maxFrame };
    return { left: new StreamLink(one, { label: 'left', ...options }), right: new StreamLink(two, { label: 'right', ...options }), end: async () => void (one.destroy(), two.destroy()) };
  }
  const serving = await serve(kind, { maxFrame });
  const [left, right] = await Promise.all([reach(serving, maxFrame), serving.next()]);
  return { left, right, end: () => serving.listener.close() };
}

/** A bare stream in both directions, as the pipe to a child is. */
export async function socketPair(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: false });
  const path = join(folder, `pipe-${++sockets}`);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const one = net.connect(path);
  const two = await accepted;
  server.close();
  return [one, two];
}

export interface Received {
  batches: { entries: readonly unknown[]; attachments: readonly unknown[] }[];
  closed: Promise<Error | undefined>;
  drains: number;
  /** How many batches were there when it first drained. */
  atDrain?: number;
  /** Resolves once `count` batches are there. */
  until(count: number): Promise<void>;
}

/** What links called while they were being started. */
export const early: string[] = [];

/** Starts a link and collects what it says. */
export function attend(link: Link): Received {
  let started = false;
  const note = (event: string) => void (started || early.push(`${link.label}: ${event}`));
  let close!: (error: Error | undefined) => void;
  let waiter: { count: number; resolve: () => void } | undefined;
  const received: Received = {
    batches: [],
    drains: 0,
    closed: new Promise((resolve) => (close = resolve)),
    until: (count) => new Promise((resolve) => (received.batches.length >= count ? resolve() : (waiter = { count, resolve }))),
  };
  link.start({
    batch(entries, attachments) {
      note('batch');
      received.batches.push({ entries, attachments });
      if (waiter && received.batches.length >= waiter.count) waiter.resolve();
    },
    drain: () => {
      note('drain');
      received.drains++;
      received.atDrain ??= received.batches.length;
    },
    closed: (error) => {
      note('closed');
      close(error);
    },
  });
  started = true;
  return received;
}
