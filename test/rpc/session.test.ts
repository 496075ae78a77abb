/* oxlint-disable unicorn/no-thenable -- what is refused has to be made */
// What a peer may say, and what costs it the link: numbers, credit, promises that are none, lists without end.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NotCloneableError, ProtocolError } from '../../src/errors.js';
import { currentCall } from '../../src/rpc/context.js';
import { ValueCodec } from '../../src/rpc/codec.js';
import { Kind } from '../../src/rpc/frames.js';
import { Node } from '../../src/rpc/graph-table.js';
import { PlainWriter } from '../../src/rpc/plain-writer.js';
import { STREAM_WINDOW } from '../../src/rpc/streams.js';
import { Tag } from '../../src/rpc/tag.js';
import { lives } from '../helpers/garbage.js';
import { rawPeer, turn, type RawPeer } from './raw-peer.js';

const INLINE = Tag.INLINE;
const pack = (table: unknown): Uint8Array => {
  const writer = new PlainWriter(1e8, 100);
  writer.pack(table, undefined, 'table');
  return Uint8Array.from(writer.bytes());
};
/** A call whose arguments are a table by hand. */
const callWith = (table: unknown, id = 1): unknown[] => [Kind.CALL, id, 0, Tag.GRAPH, pack(table)];
const refused = async (peer: RawPeer, message: RegExp): Promise<void> => {
  await peer.ended;
  expect(peer.fault()).toBeInstanceOf(ProtocolError);
  expect(peer.fault()!.message).toMatch(message);
};

describe('numbers of calls', () => {
  it('cannot be used twice at once', async () => {
    const aborted: unknown[] = [];
    const peer = rawPeer({ wait: () => new Promise(() => currentCall().signal.addEventListener('abort', () => aborted.push(1))) });
    peer.send([Kind.CALL, 7, 0, INLINE, [], Kind.CALL, 8, 0, INLINE, [], Kind.CALL, 7, 0, INLINE, []]);
    await refused(peer, /second call of the number 7/);
    expect(aborted).toEqual([1, 1]);
    expect(peer.session.dispatcher.active).toBe(2); // they never end; but none is lost sight of
  });

  it('can be used again when their call is done', async () => {
    const peer = rawPeer({ add: (a: number, b: number) => a + b });
    peer.send([Kind.CALL, 7, 0, INLINE, [1, 2], Kind.CALL, 7, 0, INLINE, [3, 4]]);
    await turn();
    expect(peer.received.slice(2)).toEqual([Kind.RESULT, 7, INLINE, 3, Kind.RESULT, 7, INLINE, 7]);
  });

  it('of calls that wait for a place: those of a link that is gone do not run', async () => {
    const ran: number[] = [];
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const peer = rawPeer({ narrow: async (n: number) => (ran.push(n), opened) }, { specs: { narrow: { concurrency: 1 } } });
    peer.send([1, 2, 3].flatMap((n) => [Kind.CALL, n, 0, INLINE, [n]]));
    await turn();
    peer.close();
    await peer.ended;
    open();
    await turn();
    expect(ran).toEqual([1]);
    expect(peer.session.dispatcher.active).toBe(0);
  });
});

describe('slots', () => {
  const NOT_NUMBERS = [undefined, null, NaN, -1, 0.5, 2 ** 53, Infinity, '1', true, {}, [], { a: 1 }, 1n];
  it.each([Kind.CALL, Kind.CALL_FULL, Kind.CALL_REFERENCE, Kind.RESULT, Kind.RESULT_FULL, Kind.ERROR, Kind.REFUSED, Kind.CANCEL, Kind.NEXT, Kind.END, Kind.FAIL, Kind.CREDIT, Kind.STOP, Kind.RETAIN, Kind.RELEASE, Kind.ABORT, Kind.PING, Kind.PONG, Kind.FORGET])('an entry of kind %i needs a number', async (kind) => {
    for (const id of NOT_NUMBERS) {
      const peer = rawPeer({ add: () => 1 });
      peer.send([kind, id, 0, INLINE, [], 0, undefined, undefined]);
      await refused(peer, /without a number/);
    }
  });

  it('headers are texts, and a deadline is a number', async () => {
    for (const meta of [5, 'x', {}, [], [-1], [NaN], ['1'], [0, 'a'], [0, 'a', 1], [0, {}, 'b'], [0, 'a', { toString: 1 }]]) {
      const peer = rawPeer({ add: () => 1 });
      peer.send([Kind.CALL_FULL, 1, 0, INLINE, [], 0, meta]);
      await refused(peer, /header|deadline/);
    }
  });
});

describe('arguments', () => {
  it('are a list that can be spread, not 130 million holes', async () => {
    for (const holes of [65_537, 130_000_000, 2 ** 32 - 1]) {
      const peer = rawPeer({ add: (...args: unknown[]) => args.length });
      peer.send(callWith([[0], [Node.SPARSE, holes]]));
      await refused(peer, holes < 1e6 ? /arguments/ : /more memory than the link carries/);
    }
  });

  it('that many calls under way hold are bounded in bytes, and what is over is refused and not run', async () => {
    const ran: number[] = [];
    const peer = rawPeer({ hold: (n: number) => (ran.push(n), new Promise(() => {})) }, { limits: { maxServedBytes: 1_000 } });
    peer.send([1, 2, 3].flatMap((n) => [Kind.CALL, n, 0, INLINE, [n, 'x'.repeat(450)]]));
    await expect.poll(() => peer.received.slice(2, 4)).toEqual([Kind.REFUSED, 3]);
    expect(ran).toEqual([1, 2]);
    expect(peer.fault()).toBeUndefined();
  });
});

describe('streams', () => {
  it('are given no more credit than a window', async () => {
    const peer = rawPeer({ count: async function* () { for (let i = 0; ; i++) yield i; } });
    peer.send([Kind.CALL, 1, 0, INLINE, []]);
    await expect.poll(() => peer.received.filter((slot) => slot === Kind.NEXT).length).toBeGreaterThan(0);
    await turn();
    peer.send([Kind.CREDIT, 1, 2 ** 31]);
    await refused(peer, /more credit than its window/);
  });

  it('that are sent more than was asked for end their link', async () => {
    const peer = rawPeer({ never: () => new Promise(() => {}) });
    peer.send(callWith([[0], [Node.ARRAY, [1]], [Node.LIVE, 'stream', [5]]]));
    peer.send(Array.from({ length: STREAM_WINDOW }, (_, i) => [Kind.NEXT, 5, 1, INLINE, i, 0]).flat());
    await turn();
    expect(peer.fault()).toBeUndefined();
    peer.send([Kind.NEXT, 5, 1, INLINE, 0, 0]);
    await refused(peer, /more than its consumer asked for/);
  });

  it('whose items are larger than they cost end their link, attachments counted', async () => {
    const peer = rawPeer({ never: () => new Promise(() => {}) });
    peer.send(callWith([[0], [Node.ARRAY, [1]], [Node.LIVE, 'stream', [5]]]));
    peer.send([Kind.NEXT, 5, 1, Tag.GRAPH, pack([[0], [Node.ATTACHED_BUFFER, 0]]), 1], [new ArrayBuffer(1_000_000)]);
    await refused(peer, /larger than its cost/);
  });

  it('that nobody reads stop the link at a mark, which goes on when they are read', async () => {
    let read!: () => Promise<number>;
    const peer = rawPeer({ later: (stream: AsyncIterable<string>) => new Promise((resolve) => (read = async () => { let n = 0; for await (const _ of stream) n++; resolve(n); return n; })), add: () => 1 }, { limits: { maxUnread: 10_000 } });
    peer.send(callWith([[0], [Node.ARRAY, [1]], [Node.LIVE, 'stream', [5]]]));
    for (let i = 0; i < 5; i++) peer.send([Kind.NEXT, 5, 1, INLINE, 'x'.repeat(5_000), 0]);
    peer.send([Kind.END, 5, INLINE, undefined, 0, Kind.CALL, 2, 0, INLINE, []]);
    await turn();
    await turn();
    expect(peer.session.dispatcher.active).toBe(1); // the second call stands behind the items
    expect(await read()).toBe(5);
    await expect.poll(() => peer.session.dispatcher.active).toBe(1);
    expect(peer.fault()).toBeUndefined();
  });

  it('that nobody reads for long end their link', async () => {
    const peer = rawPeer({ never: () => new Promise(() => {}) }, { limits: { maxUnread: 1_000, unreadTimeout: 30 } });
    peer.send(callWith([[0], [Node.ARRAY, [1]], [Node.LIVE, 'stream', [5]]]));
    peer.send([Kind.NEXT, 5, 1, INLINE, 'x'.repeat(5_000), 0]);
    await refused(peer, /nobody has taken any for 30 ms/);
  });
});

describe('what would be taken for a promise', () => {
  const THEN = [Node.LIVE, 'function', [9, 'then', 1]];
  it.each<[string, unknown[]]>([
    ['an object', [[0], [Node.ARRAY, [1]], [Node.OBJECT, 'then', [2]], THEN]],
    ['a list', [[0], [Node.ARRAY, [1]], [Node.SPARSE, 1, 'then', [2]], THEN]],
    ['an error', [[0], [Node.ARRAY, [1]], [Node.ERROR, 0, 'Error', 'Error', 'm', 's', 0, undefined, undefined, 'then', [2]], THEN]],
  ])('%s with a function of that name ends its link', async (_, table) => {
    const peer = rawPeer({ add: () => 1 });
    peer.send(callWith(table));
    await refused(peer, /the name `then`/);
  });

  it.each(['then', 'constructor', 'init', '$with', '__proto__', ''])('a lent proxy with a method %j ends its link', async (method) => {
    const peer = rawPeer({ add: () => 1 });
    peer.send(callWith([[0], [Node.ARRAY, [1]], [Node.LIVE, 'proxy', [9, 'name', 'id', [], method]]]));
    await refused(peer, /cannot have a method/);
  });

  it('is refused where it is sent, by its path', async () => {
    const codec = new ValueCodec({ level: 'objects', maxFrame: 1e6, live: { exportLive: () => [1], importLive: () => undefined } });
    expect(() => codec.encode([{ deep: { then: () => 1 } }], { root: 'args' })).toThrow(NotCloneableError);
    expect(() => codec.encode([{ deep: { then: () => 1 } }], { root: 'args' })).toThrow(/args\[0\]\.deep\.then cannot be sent.*promise/);
    expect(() => codec.encode([{ deep: { then: 'data', after: () => 1 } }])).not.toThrow();
  });
});

describe('signals in results', () => {
  it('are lent once a link, and forgotten when they abort', async () => {
    const controller = new AbortController();
    const peer = rawPeer({ signal: () => controller.signal });
    for (let i = 0; i < 1_000; i++) peer.send([Kind.CALL, i, 0, INLINE, []]);
    await expect.poll(() => peer.received.filter((slot) => slot === Kind.RESULT).length).toBeGreaterThanOrEqual(1_000);
    expect(peer.session.exports.size).toBe(1);
    controller.abort('now');
    await turn();
    expect(peer.session.exports.size).toBe(0);
    expect(peer.received).toContain(Kind.ABORT);
  });

  it('are forgotten on both sides when nobody can abort them any more', async () => {
    const peer = rawPeer({ signal: () => new AbortController().signal });
    for (let i = 0; i < 100; i++) peer.send([Kind.CALL, i, 0, INLINE, []]);
    await turn();
    await lives(new WeakRef({}));
    await expect.poll(async () => (await lives(new WeakRef({})), peer.session.exports.size)).toBe(0);
    expect(peer.received.filter((slot) => slot === Kind.FORGET).length).toBeGreaterThanOrEqual(100);
  });
});

describe('turns', () => {
  it('one batch of slow calls lets timers and other links have theirs', async () => {
    const busy = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end; );
      return 1;
    };
    const slow = rawPeer({ busy: () => busy(1) });
    const other = rawPeer({ busy: () => busy(1) });
    const honest = rawPeer({ add: (a: number) => a });
    // Behind the greeting each result takes four slots.
    const answers = (peer: RawPeer) => (peer.received.length - 2) / 4;
    const calls = Array.from({ length: 1_000 }, (_, id) => [Kind.CALL, id, 0, INLINE, []]).flat();
    slow.send(calls);
    other.send(calls);
    for (let i = 0; i < 10; i++) {
      honest.send([Kind.CALL, i, 0, INLINE, [i]]);
      await sleep(1);
      await expect.poll(() => answers(honest), { interval: 1 }).toBe(i + 1);
    }
    const [first, second] = [answers(slow), answers(other)];
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(0);
    expect(first + second).toBeLessThan(1_000);
    slow.close();
    other.close();
    await Promise.all([slow.ended, other.ended]);
    expect(answers(slow)).toBeLessThan(1_000); // calls of a link that is gone do not run
  });
});
