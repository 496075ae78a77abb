// The contract of a Link: one suite for every transport; then the doors of those that listen.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { FrameTooLargeError, InvalidOptionError, LinkClosedError, ProtocolError, UnauthorizedError } from 'mimas';
import { connect } from '#mimas/transport/index.js';
import { sameToken } from '#mimas/transport/auth.js';
import { SocketFolder } from '#mimas/manager/addresses.js';
import type { Link } from '#mimas/rpc/link.js';
import { addressOf, attend, folder, isSecure, KINDS, pairOf, reach, serve, SOCKETS, tlsOf, TOKEN, type Kind, type Pair, type SocketKind } from './links.js';

const MIB = 1024 * 1024;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
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

/** A peer that shows the token by hand and then writes what it likes. */
async function rawPeer(kind: SocketKind, serving: Awaited<ReturnType<typeof serve>>): Promise<{ write(bytes: Buffer): void; destroy(): void }> {
  const { address } = serving.listener;
  if (address.kind === 'ws' || address.kind === 'wss') {
    const socket = new WebSocket(`${address.kind}://127.0.0.1:${address.port}/`, { headers: { authorization: `Bearer ${TOKEN}` }, ...(isSecure(kind) ? { ca: tlsOf().cert } : {}) });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.on('error', () => {});
    return { write: (bytes) => socket.send(bytes), destroy: () => socket.terminate() };
  }
  const socket = await rawSocket(kind, serving);
  socket.write(Buffer.concat([Buffer.from('MIMAS1\n'), Buffer.of(TOKEN.length, 0), Buffer.from(TOKEN)]));
  await new Promise((resolve) => socket.once('data', resolve));
  return { write: (bytes) => socket.write(bytes), destroy: () => socket.destroy() };
}

/** A connection that has said nothing; over TLS and wss, not even a greeting. */
async function rawSocket(kind: SocketKind, serving: Awaited<ReturnType<typeof serve>>, greet = true): Promise<net.Socket> {
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
