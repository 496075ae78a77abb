// Connections that have not shown their token yet, of all listeners of this thread.
// Invariants: one that waits never keeps a newer one out; all together never take the last descriptors of the process; each is
// admitted or destroyed within its time, whatever its peer does.
import type { Socket } from 'node:net';
import { LinkClosedError, UnauthorizedError } from '../errors.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';
import { descriptorLimit, descriptorOf, lastDescriptors } from './descriptors.js';

/** Time for an answer to go out that turns a peer away. */
const REFUSAL_MS = 1_000;
/** A timer that is later than this has waited for its thread, ms. */
const LATE_MS = 50;

interface Handshake {
  /** As it was accepted: below TLS. */
  readonly socket: Socket;
  readonly key: Socket | string;
  readonly group: string;
  readonly owner: Handshakes;
  timer: NodeJS.Timeout;
  told: boolean;
}

/** By listener and address, each in the order they came: where it is crowded, the crowd makes room, and not the others. */
const groups = new Map<string, Set<Handshake>>();
let waiting = 0;
let listeners = 0;

export class Handshakes {
  readonly #id = ++listeners;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Map<Socket | string, Handshake>();
  readonly #limit: number;
  readonly #last: number;

  constructor(
    /** Longest time from the first byte of a connection until its token is there, ms. */
    private readonly timeout: number,
    private readonly onRefused: ((error: unknown) => void) | undefined,
  ) {
    const descriptors = descriptorLimit();
    this.#limit = Math.max(1, Math.min(DEFAULT_LIMITS.maxHandshakes, Math.floor(descriptors / 4)));
    this.#last = lastDescriptors(descriptors);
  }

  /** A connection was accepted. */
  readonly begin = (socket: Socket): void => {
    // Whoever holds the socket listens, too; this covers the moments in between.
    socket.on('error', () => {});
    const silent = (due: number) => {
      const late = performance.now() - due;
      // This thread was held up, and has not looked yet at what came meanwhile: that time is not the peer's.
      if (late > LATE_MS) handshake.timer = after(Math.min(late, this.timeout), silent);
      else this.refuse(socket, new UnauthorizedError(`the peer stayed silent for ${this.timeout} ms`));
    };
    const handshake: Handshake = {
      socket,
      key: keyOf(socket),
      group: `${this.#id} ${socket.remoteAddress ?? ''}`,
      owner: this,
      timer: after(this.timeout, silent),
      told: false,
    };
    this.#sockets.add(socket);
    this.#waiting.set(handshake.key, handshake);
    enter(handshake);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#leave(handshake)) this.#tell(handshake, new LinkClosedError('the peer closed the connection during the handshake'));
    });
    if (waiting > this.#limit) evict(`made room for a newer connection: ${waiting} were in their handshake at once`);
    if (descriptorOf(socket) >= this.#last) evict('the process has hardly any file descriptors left');
  };

  /** It has shown the token, on `socket` or on what lies below. False: it was given up meanwhile. */
  done(socket: Socket): boolean {
    const handshake = this.#waiting.get(socket) ?? this.#waiting.get(keyOf(socket));
    return handshake !== undefined && this.#leave(handshake);
  }

  /** Turns it away, with an `answer` or without: its descriptor is free in a moment, also when the peer does not close. */
  refuse(socket: Socket, error: unknown, answer?: Buffer | string): void {
    const handshake = this.#waiting.get(socket) ?? this.#waiting.get(keyOf(socket));
    if (handshake) this.#tell(handshake, error);
    if (!handshake || answer === undefined) {
      socket.destroy();
      handshake?.socket.destroy();
      return;
    }
    const cut = () => {
      socket.destroy();
      handshake.socket.destroy();
    };
    // Until then it goes on to count, and can make room.
    clearTimeout(handshake.timer);
    handshake.timer = setTimeout(cut, REFUSAL_MS).unref();
    socket.end(answer, cut);
  }

  /** Ends everything that came in, links as well. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #leave(handshake: Handshake): boolean {
    clearTimeout(handshake.timer);
    if (this.#waiting.get(handshake.key) === handshake) this.#waiting.delete(handshake.key);
    return leave(handshake);
  }

  #tell(handshake: Handshake, error: unknown): void {
    if (handshake.told) return;
    handshake.told = true;
    this.onRefused?.(error);
  }
}

function enter(handshake: Handshake): void {
  const group = groups.get(handshake.group);
  if (group) group.add(handshake);
  else groups.set(handshake.group, new Set([handshake]));
  waiting++;
}

function leave(handshake: Handshake): boolean {
  const group = groups.get(handshake.group);
  if (!group?.delete(handshake)) return false;
  if (group.size === 0) groups.delete(handshake.group);
  waiting--;
  return true;
}

/** The oldest of the largest group goes; it is the newest itself only when nobody else waits. */
function evict(why: string): void {
  let crowd: Set<Handshake> | undefined;
  for (const group of groups.values()) if (!crowd || group.size > crowd.size) crowd = group;
  const [oldest] = crowd ?? [];
  if (!oldest) return;
  leave(oldest);
  oldest.owner.refuse(oldest.socket, new UnauthorizedError(why));
}

/** Calls `then` with when it was to be called. */
function after(ms: number, then: (due: number) => void): NodeJS.Timeout {
  return setTimeout(then, ms, performance.now() + ms).unref();
}

/** TLS hands over another socket than the one that was accepted; both have the same peer. A unix socket is itself. */
const keyOf = (socket: Socket): Socket | string => (socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`);
