// The caller's side against a session that the test holds in its hand: waiting, order, retries, deadlines, limits.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { transfer } from 'mimas';
import { Client } from '#mimas/rpc/client.js';
import type { ClientOptions } from '#mimas/rpc/client-options.js';
import { currentCall } from '#mimas/rpc/context.js';
import type { Link, LinkEvents } from '#mimas/rpc/link.js';
import { createRemote } from '#mimas/rpc/remote.js';
import { Service } from '#mimas/rpc/service.js';
import { Session, type SessionOptions } from '#mimas/rpc/session.js';
import { memoryLinks } from '#mimas/transport/memory.js';

type Method = (...args: never[]) => unknown;
type AnyRemote = Record<string, (...args: unknown[]) => Promise<unknown>> & { $with(options: object): AnyRemote };

const SPECS: Record<string, object> = { narrow: { concurrency: 1 }, again: { idempotent: true } };

/** A link whose far side or near side can be stopped, and that counts what went through. */
class Held implements Link {
  readonly level;
  readonly label = 'held';
  events: LinkEvents | undefined;
  congested = false;
  constructor(private readonly inner: Link, readonly trusted = true) {
    this.level = inner.level;
  }
  start(events: LinkEvents) {
    this.events = events;
    this.inner.start(events);
  }
  send(...batch: Parameters<Link['send']>) {
    return this.inner.send(...batch) && !this.congested;
  }
  drain() {
    this.congested = false;
    this.events!.drain();
  }
  get unsent() {
    return this.inner.unsent;
  }
  pause() {
    this.inner.pause();
  }
  resume() {
    this.inner.resume();
  }
  close(error?: Error) {
    this.inner.close(error);
  }
  ref() {}
  unref() {}
}

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

function serve(client: Client, methods: Record<string, Method>, options: { server?: Partial<SessionOptions>; trusted?: boolean } = {}) {
  const [near, far] = memoryLinks();
  const link = new Held(near);
  const specs = Object.keys(methods).map((name) => ({ name, stream: false, ...SPECS[name] }));
  const server = new Session({ link: new Held(far, options.trusted ?? true), self: 'server', peer: 'tests', service: new Service('server', methods, specs as never), ...options.server });
  const session = new Session({ link, self: 'tests', peer: 'server', owned: true, onHello: (infos) => client.describeMethods(infos), onDrain: () => client.pump() });
  return { server, session, link, attach: async () => (await new Promise((resolve) => setImmediate(resolve)), client.attach(session)) };
}
const clientOf = (options: Partial<ClientOptions> = {}) => {
  const client = new Client({ name: 'server', id: 'x', describe: 'server (test)', level: 'objects', ...options });
  return { client, remote: createRemote({ name: 'server', id: 'x', methods: () => client.methods(), invoke: (...call) => client.invoke(...call) }) as unknown as AnyRemote };
};
const died = (method: string) => new Error(`died in ${method}`);
const gate = () => {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
};

describe('calls that wait', () => {
  it('keep their order relative to later ones while the link is congested', async () => {
    const seen: unknown[] = [];
    const { client, remote } = clientOf();
    const { link, attach } = serve(client, { note: (n) => void seen.push(n) });
    await attach();
    link.congested = true;
    await remote['note']!(0);
    const calls = [1, 2, 3].map((n) => remote['note']!(n));
    expect(client.queued).toBe(3);
    link.drain();
    calls.push(remote['note']!(4));
    await Promise.all(calls);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(client.queued).toBe(0);
  });

  it('are sent to the next session when theirs has ended, and do not count as maybe executed', async () => {
    const seen: unknown[] = [];
    const { client, remote } = clientOf();
    const first = serve(client, { note: (n) => void seen.push(['first', n]) });
    await first.attach();
    first.session.options.link.close(new Error('gone'));
    const call = remote['note']!(1);
    client.detach(first.session, died, 'it to restart');
    await serve(client, { note: (n) => void seen.push(['second', n]) }).attach();
    await call;
    expect(seen).toEqual([['second', 1]]);
  });

  it('keep the order over a restart, also those that waited for a place under concurrency', async () => {
    const { client, remote } = clientOf();
    const never = serve(client, { narrow: () => new Promise(() => {}), note: () => undefined });
    await never.attach();
    const running = remote['narrow']!(0);
    const waiting = [1, 2].map((n) => remote['narrow']!(n));
    client.detach(never.session, died, 'it to restart');
    await expect(running).rejects.toThrow('died in narrow');
    waiting.push(remote['narrow']!(3));
    const seen: unknown[] = [];
    await serve(client, { narrow: (n) => void seen.push(n), note: () => undefined }).attach();
    await Promise.all(waiting);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('go on when one that waited cannot be sent', async () => {
    const { client, remote } = clientOf();
    const { opened, open } = gate();
    await serve(client, { narrow: (n: number) => (n === 0 ? opened : n) }).attach();
    const first = remote['narrow']!(0);
    const good = remote['narrow']!(1);
    await expect(remote['narrow']!(Symbol('bad'))).rejects.toMatchObject({ code: 'NOT_CLONEABLE' });
    const aborted = AbortSignal.abort('no');
    await expect(remote.$with({ signal: aborted })['narrow']!(2)).rejects.toBe('no');
    open();
    await first;
    expect(await good).toBe(1);
  });

  it('are bounded, those under concurrency as well, and cancelled ones free their place', async () => {
    const { client, remote } = clientOf({ maxQueue: 2 });
    await serve(client, { narrow: () => new Promise(() => {}) }).attach();
    void remote['narrow']!();
    const controller = new AbortController();
    const waiting = [1, 2].map(() => remote.$with({ signal: controller.signal })['narrow']!());
    await expect(remote['narrow']!()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    controller.abort('off');
    expect((await Promise.allSettled(waiting)).map((result) => (result as PromiseRejectedResult).reason)).toEqual(['off', 'off']);
    expect(client.queued).toBe(0);
    const late = remote.$with({ queueTimeout: 10 })['narrow']!();
    await expect(late).rejects.toMatchObject({ code: 'QUEUE_TIMEOUT' });
  });

  it('send their arguments as they were, also around callbacks and moved buffers', async () => {
    const { client, remote } = clientOf();
    client.describeMethods([{ name: 'take', number: 0, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }]);
    const argument = { list: [1], callback: () => 'called', buffer: new ArrayBuffer(50_000) };
    const call = remote.$with({ transfer: [argument.buffer] })['take']!(argument);
    argument.list.push(2);
    expect(argument.buffer.byteLength).toBe(0);
    await serve(client, { take: (async (got: typeof argument) => [got.list, await got.callback(), got.buffer.byteLength]) as Method }).attach();
    expect(await call).toEqual([[1], 'called', 50_000]);
  });

  it('carry the headers of the call they were made in', async () => {
    const { client, remote } = clientOf();
    client.describeMethods([{ name: 'headers', number: 0, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }]);
    const call = remote.$with({ headers: { tenant: 'a' } })['headers']!();
    await serve(client, { headers: () => ({ ...currentCall().headers }) }).attach();
    expect(await call).toEqual({ tenant: 'a' });
  });
});

describe('calls that were sent when the process died', () => {
  it('are made again when idempotent, with their buffers, before later ones', async () => {
    const { client, remote } = clientOf();
    const seen: unknown[] = [];
    const first = serve(client, { again: () => new Promise(() => {}) });
    await first.attach();
    const buffer = new ArrayBuffer(60_000);
    new Uint8Array(buffer)[59_999] = 5;
    const call = remote['again']!('moved', transfer(buffer));
    const withCallback = remote['again']!('callback', () => 7);
    await new Promise((resolve) => setImmediate(resolve));
    for (let life = 0; life < 2; life++) {
      client.detach(client.session!, died, 'it to restart');
      if (life === 0) await serve(client, { again: () => new Promise(() => {}) }).attach();
    }
    const later = remote['again']!('later', 0);
    await serve(client, { again: (async (name: string, item: unknown) => {
      seen.push(name);
      return typeof item === 'function' ? await (item as () => unknown)() : item instanceof ArrayBuffer ? new Uint8Array(item)[59_999] : item;
    }) as Method }).attach();
    expect(await Promise.all([call, withCallback, later])).toEqual([5, 7, 0]);
    expect(seen).toEqual(['moved', 'callback', 'later']);
    expect(client.inFlight).toBe(0);
  });

  it('fail when they brought a stream, which cannot be read twice', async () => {
    const { client, remote } = clientOf();
    const first = serve(client, { again: () => new Promise(() => {}) });
    await first.attach();
    const call = remote['again']!((async function* () {
      yield 1;
    })());
    await new Promise((resolve) => setImmediate(resolve));
    client.detach(first.session, died, 'it to restart');
    await expect(call).rejects.toThrow('died in again');
  });

  it('are given up after some attempts, and time out in each of them', async () => {
    const { client, remote } = clientOf();
    const session = serve(client, { again: () => new Promise(() => {}) });
    await session.attach();
    const call = remote['again']!();
    const timed = remote.$with({ timeout: 30 })['again']!();
    await expect(timed).rejects.toMatchObject({ code: 'CALL_TIMEOUT' });
    for (let life = 0; life < 4; life++) {
      client.detach(client.session!, died, 'it to restart');
      if (life < 3) await serve(client, { again: () => new Promise(() => {}) }).attach();
    }
    await expect(call).rejects.toThrow('died in again');
  });
});

describe('the end of a link', () => {
  it('stops producers at once, also one that never waits, before anybody says why it ended', async () => {
    const { client, remote } = clientOf();
    const { session, server, attach } = serve(client, { read: (() => new Promise(() => {})) as Method, idle: () => undefined });
    await attach();
    let left = false;
    const call = remote['read']!((async function* () {
      try {
        for (;;) yield 1;
      } finally {
        left = true;
      }
    })());
    await new Promise((resolve) => setImmediate(resolve));
    server.close();
    await expect.poll(() => left).toBe(true);
    expect(session.live.size).toBe(0);
    client.detach(session, died, 'nothing');
    await expect(call).rejects.toThrow('died in read');
  });

  it('releases what was lent, kept or not', async () => {
    const { client, remote } = clientOf();
    const { keep } = await import('#mimas/rpc/references.js');
    const { session, server, attach } = serve(client, { take: () => undefined });
    await attach();
    await remote['take']!(keep(() => 1), remote);
    expect(session.exports.size).toBe(2);
    server.close();
    await expect.poll(() => session.exports.size).toBe(0);
  });
});

describe('a peer that is not trusted', () => {
  it('learns no stacks and cannot say for whom it calls', async () => {
    const { client, remote } = clientOf();
    const { server, attach, session } = serve(client, {
      fail: () => {
        throw new Error('inside', { cause: new TypeError('deeper') });
      },
      give: () => ({ error: new Error('as a value') }),
      caller: () => currentCall().caller,
    }, { trusted: false });
    await attach();
    const error = (await remote['fail']!().catch((thrown: unknown) => thrown)) as Error;
    expect(error.stack).not.toContain('client.test.ts:1');
    expect(error.stack!.split('---')[0]).not.toMatch(/\n\s+at /);
    expect((error.cause as Error).stack).toBe('TypeError: deeper');
    expect(((await remote['give']!()) as { error: Error }).error.stack).toBe('Error: as a value');
    expect(await remote.$with({ headers: { 'mimas-caller': 'root' } })['caller']!()).toBe('tests');
    expect(server.pending + session.pending).toBe(0);
  });

  it('is told so when it floods the process with calls, and those under way go on', async () => {
    const { client, remote } = clientOf();
    const { opened, open } = gate();
    const { attach } = serve(client, { wait: () => opened, quick: () => 1 }, { server: { limits: { maxServed: 10 } } });
    await attach();
    const calls = Array.from({ length: 15 }, () => remote['wait']!());
    const results = Promise.allSettled(calls);
    await expect(calls[14]).rejects.toMatchObject({ code: 'QUEUE_FULL', maxQueue: 10 });
    open();
    expect((await results).map(({ status }) => status)).toEqual([...Array<string>(10).fill('fulfilled'), ...Array<string>(5).fill('rejected')]);
    expect(await remote['quick']!()).toBe(1);
  });

  it.each([
    ['items past the credit', (stream: number) => Array.from({ length: 400 }, () => [10 - 2, stream, 1, 0, 'x', 0]).flat()],
    ['an item without a cost', (stream: number) => [8, stream, 0, 0, 'x', 0]],
    ['an item that is larger than its cost', (stream: number) => [8, stream, 1, 0, 'x'.repeat(100_000), 0]],
    ['a credit that is no number', () => [11, 1, NaN]],
    ['an unknown kind', () => [99, 1]],
    ['arguments that are no list', () => [1, 77, 0, 0, 'text']],
  ])('loses its link, and nothing else, when it sends %s', async (name, entries) => {
    const { client, remote } = clientOf();
    const { server, session, link, attach } = serve(client, { hold: (() => new Promise(() => {})) as Method, endless: (function* () { for (;;) yield 1; }) as Method });
    await attach();
    let ended: Error | undefined;
    const original = server.options.onClosed;
    (server.options as { onClosed?: (error: Error | undefined) => void }).onClosed = (error) => {
      ended = error;
      original?.(error);
    };
    const held = remote['hold']!((async function* () {
      await new Promise(() => {});
      yield 1;
    })());
    held.catch(() => {});
    if (name.includes('credit that')) void (await remote['endless']!());
    await new Promise((resolve) => setImmediate(resolve));
    link.send(entries(1), [], []);
    await expect.poll(() => ended).toMatchObject({ code: 'PROTOCOL_ERROR' });
    client.detach(session, died, 'nothing');
    await expect(held).rejects.toThrow('died in hold');
  });
});

describe('deadlines', () => {
  it('of the surrounding call hold while a nested call waits', async () => {
    const inner = clientOf();
    inner.client.describeMethods([{ name: 'never', number: 0, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }]);
    const { client, remote } = clientOf();
    await serve(client, { outer: () => inner.remote['never']!().catch((error: { code: string }) => error.code) }).attach();
    expect(await Promise.race([remote.$with({ timeout: 10_000 })['outer']!(), delay(20, 'waits')])).toBe('waits');
    let code: unknown;
    const nested = clientOf();
    nested.client.describeMethods([{ name: 'never', number: 0, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }]);
    const second = clientOf();
    await serve(second.client, {
      outer: async () => {
        await nested.remote['never']!().catch((error: { code: string }) => (code = error.code));
        // The deadlines of both are one: an answer now would race the outer call's own end.
        await new Promise(() => {});
      },
    }).attach();
    await expect(second.remote.$with({ timeout: 30 })['outer']!()).rejects.toMatchObject({ code: 'CALL_TIMEOUT' });
    await expect.poll(() => code).toBe('CALL_TIMEOUT');
    inner.client.refuse(() => new Error('over'));
  });
});

describe('many calls of a full method', () => {
  it('that are cancelled while they wait on the serving side cost no stack', async () => {
    const { client, remote } = clientOf();
    const { opened, open } = gate();
    const { server, session, attach } = serve(client, { narrow: () => opened });
    await attach();
    // Past the client, which would hold them back itself.
    const ids: number[] = [];
    for (let i = 0; i < 20_000; i++) ids.push(session.call({ label: 'narrow', from: 'a test', settle: () => {}, fail: () => {}, unsent: () => {} }, 0, [], undefined, undefined));
    await expect.poll(() => server.dispatcher.active).toBe(20_000);
    for (const id of ids.slice(1)) session.cancel(id, 'off');
    open();
    await expect.poll(() => server.dispatcher.active).toBe(0);
    expect(await remote['narrow']!()).toBeUndefined();
  });
});
