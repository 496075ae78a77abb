// The contract of a Link: one suite for every transport; then the doors of those that listen.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { FrameTooLargeError, InvalidOptionError, LinkClosedError, ProtocolError, UnauthorizedError } from 'mimas';
import { packBatch } from '#mimas/rpc/batch-codec.js';
import { Session } from '#mimas/rpc/session.js';
import type { Address } from '#mimas/transport/address.js';
import { connect, listen } from '#mimas/transport/index.js';
import type { Listener } from '#mimas/transport/socket.js';
import { sameToken } from '#mimas/transport/auth.js';
import { SocketFolder } from '#mimas/manager/addresses.js';
import type { Link } from '#mimas/rpc/link.js';
import { addressOf, attend, early, folder, isSecure, KINDS, pairOf, reach, serve, SOCKETS, tlsOf, TOKEN, type Kind, type Pair, type SocketKind } from './links.js';

const MIB = 1024 * 1024;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  // No link has called anything while it was being started, in any of these tests.
  expect(early.splice(0)).toEqual([]);
});
const joined = async (kind: Kind, maxFrame?: number): Promise<Pair> => {
  const pair = await pairOf(kind, maxFrame);
  ends.push(() => pair.end());
  return pair;
};
/** One attachment of `size` bytes as the level of the link wants it. */
const attachment = (link: Link, size: number): [unknown[], ArrayBuffer[]] => {
  const buffer = new ArrayBuffer(size);
  new Uint8Array(buffer).fill(size % 251);
  return link.level === 'objects' ? [[buffer], [buffer]] : [[new Uint8Array(buffer)], []];
};
const bytesOf = (item: unknown) => (item instanceof ArrayBuffer ? new Uint8Array(item) : (item as Uint8Array));

describe.each(KINDS)('a link over %s', (kind) => {
  it('delivers batches in the order sent, in both directions, also those sent before the other side listens', async () => {
    const { left, right } = await joined(kind);
    const back = attend(left);
    for (let i = 0; i < 200; i++) left.send([16, i, 'text €', undefined, -0, null], [], []);
    const there = attend(right);
    await there.until(200);
    expect(there.batches.map(({ entries }) => entries)).toEqual(Array.from({ length: 200 }, (_, i) => [16, i, 'text €', undefined, -0, null]));
    right.send([16, 'back'], [], []);
    await back.until(1);
    expect(back.batches[0]!.entries).toEqual([16, 'back']);
  });

  it('carries big attachments among small batches', async () => {
    const { left, right } = await joined(kind);
    const there = attend(right);
    attend(left);
    left.send([1], [], []);
    const [items, moved] = attachment(left, 9 * MIB + 3);
    left.send([2], items, moved);
    left.send([3], [], []);
    await there.until(3);
    expect(there.batches.map(({ entries }) => entries[0])).toEqual([1, 2, 3]);
    const arrived = bytesOf(there.batches[1]!.attachments[0]);
    expect(arrived.byteLength).toBe(9 * MIB + 3);
    expect(arrived.at(-1)).toBe((9 * MIB + 3) % 251);
  });

  it('delivers what was sent before close, then ends both sides without an error', async () => {
    const { left, right } = await joined(kind);
    const [here, there] = [attend(left), attend(right)];
    for (let i = 0; i < 20; i++) {
      const [items, moved] = attachment(left, 200_000);
      left.send([i], items, moved);
    }
    left.close();
    left.send(['after the end'], [], []);
    expect(await there.closed).toBeUndefined();
    expect(await here.closed).toBeUndefined();
    expect(there.batches.map(({ entries }) => entries[0])).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('ends with the error it was closed for, at once', async () => {
    const { left, right } = await joined(kind);
    const [here, there] = [attend(left), attend(right)];
    const reason = new ProtocolError('made no sense');
    left.close(reason);
    expect(await here.closed).toBe(reason);
    await there.closed;
    expect(() => left.send([1], [], [])).not.toThrow();
    expect(() => left.close()).not.toThrow();
  });

  it('tells one that starts it late what came, in order, and that it has ended', async () => {
    const { left, right } = await joined(kind);
    const here = attend(left);
    for (let i = 0; i < 50; i++) left.send([i], [], []);
    left.close();
    await here.closed;
    const there = attend(right);
    expect(await there.closed).toBeUndefined();
    expect(there.batches.map(({ entries }) => entries[0])).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('tells one that starts it after it was closed for an error that error, and nothing else', async () => {
    const { left, right } = await joined(kind);
    attend(right);
    right.send([1], [], []);
    const reason = new ProtocolError('made no sense');
    left.close(reason);
    const here = attend(left);
    expect(await here.closed).toBe(reason);
    expect(here.batches).toEqual([]);
  });

  it('takes nothing once it is closing, or its peer is gone, and says so', async () => {
    const { left, right } = await joined(kind);
    const [here, there] = [attend(left), attend(right)];
    left.close();
    expect(left.send([1], [], [])).toBe(false);
    await Promise.all([here.closed, there.closed]);
    for (const link of [left, right]) {
      expect(link.send([1], attachment(link, MIB)[0], attachment(link, MIB)[1])).toBe(false);
      expect(link.unsent).toBe(0);
    }
  });
});

describe.each(['pipe', ...SOCKETS] as const)('a byte link over %s', (kind) => {
  it('says when it is congested, and when it has drained', async () => {
    const { left, right } = await joined(kind);
    const here = attend(left);
    let sent = 0;
    // Nobody reads on the other side yet (a WebSocket does in any case).
    while (sent < 400 && left.send([sent++], attachment(left, 256 * 1024)[0], []));
    expect(sent).toBeLessThan(400);
    const there = attend(right);
    await there.until(sent);
    await expect.poll(() => here.drains).toBeGreaterThan(0);
    expect(left.send([1], [], [])).toBe(true);
  });

  it('reads nothing while it is paused, and loses nothing', async () => {
    const { left, right } = await joined(kind);
    right.pause();
    const [, there] = [attend(left), attend(right)];
    const sent = await untilFull(left);
    expect(there.batches).toEqual([]);
    right.resume();
    await there.until(sent);
    expect(there.batches.map(({ entries }) => entries[0])).toEqual(Array.from({ length: sent }, (_, i) => i));
    await expect.poll(() => left.unsent).toBe(0);
  });

  it('ends when its peer sends a frame that is larger than the limit', async () => {
    const large = await joined(kind, 8 * MIB);
    const limited = await joined(kind, 1 * MIB);
    attend(limited.left);
    const there = attend(limited.right);
    limited.left.send([1], attachment(limited.left, 3 * MIB)[0], []);
    const error = await there.closed;
    expect(error).toBeInstanceOf(FrameTooLargeError);
    expect(error).toMatchObject({ code: 'FRAME_TOO_LARGE', limit: 2 * MIB });
    // Nobody else is hurt.
    const other = attend(large.right);
    attend(large.left);
    large.left.send([1], attachment(large.left, 3 * MIB)[0], []);
    await other.until(1);
  });
});

/** Sends until so much waits for the peer. */
function owe(link: Link, bytes: number): void {
  for (let sent = 0; sent < 100 && link.unsent <= bytes; sent++) link.send(['much'], attachment(link, MIB)[0], []);
  expect(link.unsent).toBeGreaterThan(bytes);
}

/** Sends until the peer takes no more; how many batches that were. */
async function untilFull(link: Link): Promise<number> {
  let sent = 0;
  for (let still = 0, before = -1; still < 5; ) {
    while (link.unsent < 2 * MIB) link.send([sent++], attachment(link, 256 * 1024)[0], []);
    await new Promise((resolve) => setTimeout(resolve, 10));
    still = link.unsent === before ? still + 1 : 0;
    before = link.unsent;
  }
  return sent;
}

/** A peer that shows the token by hand, in one packet with the body of a frame or piece by piece, and then writes what it likes. */
async function rawPeer(kind: SocketKind, serving: { listener: Listener }, body?: Buffer, piece = Infinity): Promise<{ write(bytes: Buffer): void; destroy(): void }> {
  const web = kind === 'ws' || kind === 'wss';
  const socket = await rawSocket(kind, serving);
  // Of a client, masked with zeroes.
  const wrap = (bytes: Buffer) => (web ? Buffer.concat([Buffer.of(0x82, 0x80 | bytes.length, 0, 0, 0, 0), bytes]) : Buffer.concat([Buffer.of(bytes.length, 0, 0, 0), bytes]));
  const token = web
    ? Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
    : Buffer.concat([Buffer.from('MIMAS1\n'), Buffer.of(TOKEN.length, 0), Buffer.from(TOKEN)]);
  const bytes = body ? Buffer.concat([token, wrap(body)]) : token;
  const answered = new Promise((resolve) => socket.once('data', resolve));
  for (let at = 0; at < bytes.length; at += piece) {
    socket.write(bytes.subarray(at, at + piece));
    if (piece < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!body) await answered;
  // `write` gives bytes as they are, but for the head of a WebSocket message.
  return { write: (data) => socket.write(web ? wrap(data) : data), destroy: () => socket.destroy() };
}

/** A peer in a program of its own, that has shown the token. */
function killable(address: Address): ChildProcess {
  const source = `import { connect } from ${JSON.stringify(import.meta.resolve('#mimas/transport/index.js'))};
    const link = await connect(${JSON.stringify(address)}, { token: ${JSON.stringify(TOKEN)}, tls: { ca: ${JSON.stringify(tlsOf().cert.toString())} } });
    link.start({ batch() {}, drain() {}, closed() {} });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'ignore', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  return child;
}

/** A connection that has said nothing; over TLS and wss, not even a greeting. */
async function rawSocket(kind: SocketKind, serving: { listener: Listener }, greet = true): Promise<net.Socket> {
  const { address } = serving.listener;
  const socket = address.kind === 'unix' ? net.connect(address.path) : greet && isSecure(kind) ? tls.connect({ host: address.host, port: address.port, ca: tlsOf().cert }) : net.connect(address.port, address.host);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once(greet && isSecure(kind) ? 'secureConnect' : 'connect', resolve));
  return socket;
}

const closeOf = (socket: net.Socket) => new Promise<void>((resolve) => {
  socket.resume();
  socket.once('close', () => resolve());
});

describe.each(SOCKETS)('a listener over %s', (kind) => {
  const serving = async (...args: Parameters<typeof serve> extends [unknown, ...infer Rest] ? Rest : never) => {
    const made = await serve(kind, ...args);
    ends.push(() => made.listener.close());
    return made;
  };

  it('hears of the death of a peer', async () => {
    const made = await serving();
    const [peer, link] = await Promise.all([rawPeer(kind, made), made.next()]);
    const there = attend(link);
    peer.destroy();
    await there.closed;
  });

  it('reads nothing for its session while its peer does not read, whatever the session says', async () => {
    const made = await serving();
    const [left, right] = await Promise.all([reach(made), made.next()]);
    const there = attend(right);
    owe(right, 40 * MIB);
    right.pause();
    right.resume();
    left.send(['a call'], [], []);
    const here = attend(left);
    await there.until(1);
    // It read only once it had got rid of what it owed.
    expect(there.atDrain).toBe(0);
    await here.until(40);
  });

  it('gives up a peer that reads nothing at all while much waits for it', async () => {
    const made = await serving({ stallTimeout: 400 });
    const [left, right] = await Promise.all([reach(made), made.next()]);
    const there = attend(right);
    owe(right, 40 * MIB);
    const error = await there.closed;
    expect(error).toBeInstanceOf(LinkClosedError);
    expect(error!.message).toMatch(/has read nothing for 400 ms while \d{8} bytes waited for it/);
    expect(right.send(['more'], [], [])).toBe(false);
    left.close(new Error('done'));
  });

  it('takes data again when all has gone out, also behind what it sends by itself to a peer that does not read', async () => {
    const made = await serving();
    const [left, right] = await Promise.all([reach(made), made.next()]);
    attend(left);
    left.pause();
    const there = attend(right);
    // One batch, so that what comes behind it is written by itself.
    right.send(['much'], attachment(right, 24 * MIB)[0], []);
    const owed = right.unsent;
    const { kind } = made.listener.address;
    if (kind === 'ws' || kind === 'wss') await expect.poll(() => right.unsent, { timeout: 20_000 }).toBeGreaterThan(owed);
    left.resume();
    await expect.poll(() => there.drains, { timeout: 20_000 }).toBe(1);
  });

  it('does not give up a peer that reads slowly', async () => {
    const made = await serving({ stallTimeout: 800 });
    const [left, right] = await Promise.all([reach(made), made.next()]);
    const there = attend(right);
    let lost = false;
    void there.closed.then(() => (lost = true));
    owe(right, 34 * MIB);
    const here = attend(left);
    // Twice as long as nothing at all would be borne, and by no means everything.
    for (let until = performance.now() + 1_600; performance.now() < until && !lost; ) {
      left.resume();
      await here.until(here.batches.length + 1);
      left.pause();
      await new Promise((resolve) => setTimeout(resolve, 100));
      owe(right, 34 * MIB);
    }
    expect(lost).toBe(false);
    left.resume();
    await expect.poll(() => there.drains, { timeout: 20_000 }).toBeGreaterThan(0);
    await here.until(34);
  });

  it('gives up a peer that owes more reading than the limit', async () => {
    const made = await serving({ maxUnsent: 40 * MIB });
    const [, right] = await Promise.all([reach(made), made.next()]);
    const there = attend(right);
    let sent = 0;
    while (sent < 100 && (right.send(['much'], attachment(right, MIB)[0], []), right.unsent <= 40 * MIB)) sent++;
    expect(sent).toBeLessThan(100);
    expect(right.send(['more'], [], [])).toBe(false);
    expect(await there.closed).toMatchObject({ code: 'LINK_CLOSED', message: expect.stringMatching(/does not read .*: \d{8} bytes wait/) });
  });

  it.each(['nothing', 'as much as it could'])('hears of the death of a peer while it does not want to read, of one that had sent %s', async (sent) => {
    const made = await serving();
    const [left, right] = await Promise.all([reach(made), made.next()]);
    right.pause();
    const there = attend(right);
    attend(left);
    if (sent !== 'nothing') await untilFull(left);
    left.close(new Error('gone without a word'));
    await there.closed;
    expect(right.send([1], [], [])).toBe(false);
  });

  it('hears of the death of a peer that was killed, whether it reads or not', async () => {
    const made = await serving();
    const where = made.listener.address;
    const peers = [killable(where), killable(where)];
    const links = [await made.next(), await made.next()];
    links[0]!.pause();
    const ended = links.map((link) => attend(link).closed);
    for (const peer of peers) peer.kill('SIGKILL');
    await Promise.all(ended);
  });

  it('reads a token and frames of one packet, and a token that comes byte by byte', async () => {
    const made = await serving();
    const frame = Buffer.concat(packBatch([16, 1]));
    const [peer, link] = await Promise.all([rawPeer(kind, made, frame), made.next()]);
    // A turn later than usual: what came along must still be there.
    await new Promise((resolve) => setImmediate(resolve));
    const there = attend(link);
    await there.until(1);
    expect(there.batches[0]!.entries).toEqual([16, 1]);
    peer.destroy();
    await there.closed;
    const [slow, slowLink] = await Promise.all([rawPeer(kind, made, frame, 1), made.next()]);
    const slowly = attend(slowLink);
    await slowly.until(1);
    slow.destroy();
  });

  it('loses only the session of a peer that sends its token and a frame that cannot be read in one packet', async () => {
    let lost!: (session: Session) => void;
    const ended = new Promise<Session>((resolve) => (lost = resolve));
    const address = addressOf(kind);
    const listener = await listen(address, { token: TOKEN, ...(isSecure(kind) ? { tls: tlsOf() } : {}) }, (link) => {
      const session: Session = new Session({ link, self: 'here', peer: 'there', onClosed: () => lost(session) });
    });
    ends.push(() => listener.close());
    const peer = await rawPeer(kind, { listener }, Buffer.of(0xc1, 0xc1));
    expect((await ended).closed).toBe(true);
    peer.destroy();
  });

  it.each([
    ['garbage', Buffer.concat([Buffer.of(8, 0, 0, 0), Buffer.alloc(8, 0xff)])],
    ['a frame that is too short', Buffer.concat([Buffer.of(2, 0, 0, 0), Buffer.alloc(2)])],
    ['an announced giant', Buffer.of(0xff, 0xff, 0xff, 0xff)],
  ])('ends only the link of a peer that sends %s, with a coded error', async (_name, bytes) => {
    const made = await serving();
    const [good, goodLink] = await Promise.all([reach(made), made.next()]);
    const there = attend(goodLink);
    attend(good);
    const [peer, link] = await Promise.all([rawPeer(kind, made), made.next()]);
    const broken = attend(link);
    peer.write(bytes);
    expect(await broken.closed).toMatchObject({ code: expect.stringMatching(/^PROTOCOL_ERROR|FRAME_TOO_LARGE$/) });
    good.send([16, 1], [], []);
    await there.until(1);
  });

  it('refuses a wrong token', async () => {
    const made = await serving();
    await expect(reach(made, undefined, `${TOKEN}x`)).rejects.toBeInstanceOf(UnauthorizedError);
    await expect(reach(made, undefined, '')).rejects.toBeInstanceOf(UnauthorizedError);
    expect(await made.onRefused).toBeInstanceOf(UnauthorizedError);
    await reach(made);
    await made.next();
  });

  it('turns away a peer that stays silent', async () => {
    // The TLS handshake in front of it counts for itself, and needs its time on a busy machine.
    const made = await serving({ handshakeTimeout: isSecure(kind) ? 1_500 : 60 });
    const socket = await rawSocket(kind, made);
    await closeOf(socket);
    expect(await made.onRefused).toMatchObject({ code: 'UNAUTHORIZED', message: expect.stringContaining('silent') });
  });

  it.runIf(isSecure(kind))('turns away a peer that stays silent before TLS', async () => {
    const made = await serving({ handshakeTimeout: 60 });
    await closeOf(await rawSocket(kind, made, false));
    expect(await made.onRefused).toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('turns away a peer that speaks something else', async () => {
    const made = await serving();
    const socket = await rawSocket(kind, made);
    socket.write('SSH-2.0-OpenSSH_9.9\r\n\r\n');
    await closeOf(socket);
    expect(await made.onRefused).toMatchObject({ code: 'PROTOCOL_ERROR' });
  });

  it('ends its links and half-open connections when it closes', async () => {
    const made = await serving();
    const [link] = await Promise.all([reach(made), made.next()]);
    const here = attend(link);
    const silent = await rawSocket(kind, made, false);
    const closed = closeOf(silent);
    await made.listener.close();
    await Promise.all([here.closed, closed]);
    await expect(reach(made)).rejects.toBeInstanceOf(LinkClosedError);
  });

  it('says what is wrong when it cannot listen', async () => {
    const made = await serving();
    await expect(serve(kind, {}, made.listener.address)).rejects.toBeInstanceOf(InvalidOptionError);
  });
});

describe('certificates', () => {
  it.each(['tls', 'wss'] as const)('%s: a server that the client cannot check is refused, and a client without a certificate, too', async (kind) => {
    const made = await serve(kind);
    const { address } = made.listener;
    await expect(connect(address, { token: TOKEN })).rejects.toThrow(/self-signed/);
    await made.listener.close();
    const { cert, key } = tlsOf();
    const mutual = await serve(kind, { tls: { key, cert, ca: cert } });
    const link = connect(mutual.listener.address, { token: TOKEN, tls: { ca: cert } });
    // TLS 1.3 lets the client finish first: it hears of the refusal when it reads.
    await expect(link).rejects.toBeInstanceOf(LinkClosedError);
    await Promise.all([connect(mutual.listener.address, { token: TOKEN, tls: { ca: cert, cert, key } }), mutual.next()]);
    await mutual.listener.close();
  });

  it.each(['tls', 'wss'] as const)('%s: listening without key and cert is refused', async (kind) => {
    await expect(serve(kind, { tls: undefined })).rejects.toBeInstanceOf(InvalidOptionError);
  });
});

describe('unix socket files', () => {
  const path = () => (addressOf('unix') as { path: string }).path;

  it('replaces a stale one', async () => {
    const stale = path();
    // A listener whose process was killed leaves its file behind.
    spawnSync(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`]);
    expect(existsSync(stale)).toBe(true);
    const made = await serve('unix', {}, { kind: 'unix', path: stale });
    await Promise.all([reach(made), made.next()]);
    await made.listener.close();
    expect(existsSync(stale)).toBe(false);
  });

  it('refuses a live one, which goes on working', async () => {
    const made = await serve('unix');
    await expect(serve('unix', {}, made.listener.address)).rejects.toThrow(/in use/);
    await Promise.all([reach(made), made.next()]);
    await made.listener.close();
  });

  it('never removes a file that is no socket', async () => {
    const file = join(folder, 'precious.txt');
    writeFileSync(file, 'data');
    await expect(serve('unix', {}, { kind: 'unix', path: file })).rejects.toThrow(/no socket/);
    expect(existsSync(file)).toBe(true);
  });

  it('are for this user only, in a folder for this user only', async () => {
    const made = await serve('unix');
    expect(statSync((made.listener.address as { path: string }).path).mode & 0o777).toBe(0o600);
    await made.listener.close();
    const own = new SocketFolder();
    expect(statSync(own.path).mode & 0o777).toBe(0o700);
    own.remove();
    expect(existsSync(own.path)).toBe(false);
  });
});

describe('tokens', () => {
  it('compares what has another length, too', () => {
    expect(sameToken('abc', 'abc')).toBe(true);
    for (const shown of ['', 'ab', 'abcd', 'abd', 'ABC']) expect(sameToken('abc', shown)).toBe(false);
  });
});
