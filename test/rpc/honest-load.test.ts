// What honest programs send when they send much: no limit that is meant for a hostile peer may end their link.
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '#mimas/rpc/client.js';
import { createRemote } from '#mimas/rpc/remote.js';
import { Service } from '#mimas/rpc/service.js';
import { Session, type SessionOptions } from '#mimas/rpc/session.js';
import type { Link } from '#mimas/rpc/link.js';
import { pairOf, reach, serve } from '../contract/links.js';

const MIB = 1024 * 1024;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Remote = Record<string, (...args: unknown[]) => Promise<never>>;

/** A proxy of `methods`, which are served at the other end of `left`. */
function joined(left: Link, right: Link, methods: Record<string, (...args: never[]) => unknown>, near: Partial<SessionOptions> = {}): { remote: Remote; session: Session } {
  new Session({ link: right, self: 'server', peer: 'client', service: new Service('server', methods, Object.keys(methods).map((name) => ({ name, stream: false })) as never) });
  const client = new Client({ name: 'server', id: 'server-1', describe: 'server', level: left.level, timeout: 60_000 });
  const session = new Session({
    link: left, self: 'client', peer: 'server', owned: true, ...near,
    onHello: (infos) => {
      client.describeMethods(infos);
      client.attach(session);
    },
    onClosed: (error) => client.detach(session, () => error ?? new Error('closed'), 'nothing'),
    onDrain: () => client.pump(),
  });
  client.describeMethods(Object.keys(methods).map((name, number) => ({ name, number, stream: false, timeout: undefined, idempotent: false, concurrency: undefined })));
  return { remote: createRemote(client) as never, session };
}

describe.each(['port', 'pipe'] as const)('over a %s', (kind) => {
  it('items of very many small objects that wait for their consumer cost what their bytes cost', async () => {
    const { left, right, end } = await pairOf(kind);
    ends.push(end);
    const rows = Array.from({ length: 5_000 }, (_, i) => ({ a: i % 100, b: 1 }));
    const { remote, session } = joined(left, right, { rows: async function* () { for (let i = 0; i < 60; i++) yield rows; } });
    const streams = await Promise.all(Array.from({ length: 8 }, () => remote['rows']!() as Promise<AsyncIterable<unknown[]>>));
    // One after the other: what the others have sent waits meanwhile.
    for (const stream of streams) {
      let n = 0;
      for await (const list of stream) n += list.length;
      expect(n).toBe(60 * 5_000);
    }
    expect(session.closed).toBe(false);
  });

  it('a hundred thousand callbacks that nobody waits for are told in batches that their reader takes', async () => {
    const { left, right, end } = await pairOf(kind);
    ends.push(end);
    const { remote, session } = joined(left, right, { tell: (listener: () => void) => { for (let i = 0; i < 200_000; i++) listener(); return 'told'; } });
    let heard = 0;
    expect(await remote['tell']!(() => void heard++)).toBe('told');
    expect(heard).toBe(200_000);
    expect(session.closed).toBe(false);
  });
});

it('streams that begin together do not each send past a congested link', async () => {
  const serving = await serve('unix', { maxUnsent: 40 * MIB });
  ends.push(() => serving.listener.close());
  const [left, right] = await Promise.all([reach(serving), serving.next()]);
  const { remote } = joined(left, right, { chunks: async function* () { for (let i = 0; i < 2; i++) yield new Uint8Array(MIB); } });
  const sizes = await Promise.all(Array.from({ length: 100 }, async () => {
    let size = 0;
    for await (const chunk of (await remote['chunks']!()) as AsyncIterable<Uint8Array>) size += chunk.length;
    return size;
  }));
  expect(new Set(sizes)).toEqual(new Set([2 * MIB]));
});

it('a consumer that is slow, but goes on, keeps a link whose items are over the mark', async () => {
  const { left, right, end } = await pairOf('port');
  ends.push(end);
  const { remote, session } = joined(left, right, { chunks: async function* () { for (let i = 0; i < 15; i++) yield new Uint8Array(10_000); } }, { limits: { maxUnread: 20_000, unreadTimeout: 400 } });
  const streams = await Promise.all([0, 1].map(() => remote['chunks']!() as Promise<AsyncIterableIterator<Uint8Array>>));
  let taken = 0;
  // One batch brings seven items: until they are back under the mark, it takes longer than a link may stand still.
  for (let i = 0; i < 15; i++) {
    for (const stream of streams) {
      const { value } = await stream.next();
      taken += (value as Uint8Array).length;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  expect(taken).toBe(300_000);
  expect(session.closed).toBe(false);
});

it('a window of items of many small objects is as small in memory as one of bytes', async () => {
  const { left, right, end } = await pairOf('port');
  ends.push(end);
  const rows = Array.from({ length: 5_000 }, (_, i) => ({ a: i % 100, b: 1 }));
  let given = 0;
  const { remote } = joined(left, right, { rows: async function* () { for (;;) { given++; yield rows; } }, echo: (value: unknown) => value });
  const stream = (await remote['rows']!()) as AsyncIterableIterator<unknown>;
  await expect.poll(async () => given - (await remote['echo']!(given))).toBe(0);
  // 256 credits, and each item takes some 250 KB: about what 4 MiB are.
  expect(given).toBeGreaterThan(8);
  expect(given).toBeLessThan(24);
  await stream.return!();
});

it('a peer is not called silent by who has not read what it sent', async () => {
  const { left, right, end } = await pairOf('port');
  ends.push(end);
  const { remote, session } = joined(left, right, { chunks: async function* () { for (let i = 0; i < 4; i++) yield new Uint8Array(10_000); } }, { limits: { maxUnread: 15_000 } });
  const stream = (await remote['chunks']!()) as AsyncIterableIterator<unknown>;
  const pong = session.ping().then(() => 'read');
  await expect.poll(() => session.silentSince(Infinity)).toBe(false);
  for (let i = 0; i < 4; i++) await stream.next();
  expect(await pong).toBe('read');
  expect(session.silentSince(performance.now())).toBe(true);
});

it.each(['port', 'pipe'] as const)('%s: as many signals as a value may have arrive; one more is refused where it is sent, lends nothing, and the link goes on', async (kind) => {
  const { left, right, end } = await pairOf(kind);
  ends.push(end);
  const { remote, session } = joined(left, right, { count: (signals: AbortSignal[]) => signals.filter((signal) => !signal.aborted).length });
  const most = session.limits.maxLive / 8;
  const signals = Array.from({ length: most + 1 }, () => new AbortController().signal);
  expect(await remote.count!(signals.slice(1))).toBe(most);
  await expect(remote.count!(signals)).rejects.toMatchObject({ code: 'FRAME_TOO_LARGE', maybeExecuted: false });
  expect(session.exports.size).toBe(0);
  expect(await remote.count!(signals.slice(0, 2))).toBe(2);
});
