// Each row of the table in docs/errors.md is brought about for real, in every place where it can be: the code, and whether the method may
// have begun. Where it says that it did not, the ledger has nothing of the call.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { keep, MethodNotFoundError, MimasError, ProtocolError, type Remote } from 'mimas';
import { CallContext, runInContext } from '#mimas/rpc/context.js';
import { Client } from '#mimas/rpc/client.js';
import type { Limits } from '#mimas/rpc/frames.js';
import { Service } from '#mimas/rpc/service.js';
import { Session } from '#mimas/rpc/session.js';
import { memoryLinks } from '#mimas/transport/memory.js';
import { manager, rejection, temporaryFile } from '../manager/helpers.js';
import { LEDGER, make, PLACES, type Options, type Place } from './places.js';
import type { LedgerProcess, Outcome } from './process.js';
// @ts-expect-error no types
import { CALL_ERRORS as TABLE } from '../../scripts/call-errors.mjs';

const CALL_ERRORS = TABLE as readonly (readonly [id: string, code: string, when: string, maybeExecuted: boolean])[];

type Ended = Record<string, unknown>;
/** Brings a row about; the call has the id `it` where it has one. Gives what the call ended with, and the ledger, if there is one. */
type Case = (place: Place) => Promise<{ ended: Ended; file?: string }>;

const DIES = ['worker', 'child', 'pool', 'cpu'] as const;
const LINKED = ['none', 'worker', 'child', 'pool'] as const;
const SINGLE = ['worker', 'child'] as const;
/** No restart within a test. */
const LATER = { restartPolicy: { backoff: { initial: 60_000, max: 60_000 } } } as const;
/** No restart without a rest. */
const RESTS = { restartPolicy: { maxRestarts: 0, backoff: { initial: 60_000, max: 60_000 } } } as const;
/** Once, and no more without a rest. */
const ONCE = { restartPolicy: { maxRestarts: 1, backoff: { initial: 100 } } } as const;

const past = <T>(body: () => T): T => runInContext(new CallContext('outer', 'method', 'test', Date.now() - 5), body, undefined);

/** Makes it, has something done with it, and gives how the call ended. */
const when = (options: Options, act: (calls: Remote<LedgerProcess>, made: Awaited<ReturnType<typeof make>>) => Promise<unknown>): Case => async (place) => {
  const made = await make(place, options);
  return { ended: (await act(made.calls, made)) as Ended, file: made.file };
};

/** Has an only place, with one call in it and one that waits. */
async function crowd(calls: Remote<LedgerProcess>): Promise<void> {
  for (const id of ['first', 'second']) void calls.alone(id, 60_000).catch(() => {});
}

const dead = async (calls: Remote<LedgerProcess>): Promise<void> => void (await rejection(Promise.resolve(calls.leaves('dies'))));

/** A restart that fails for good, while a call waits. */
const exhaust = (): Options => {
  const failFrom = temporaryFile('fails');
  writeFileSync(failFrom, '');
  return { ...ONCE, dependencies: { failFrom, file: failFrom } };
};

/** Two sessions in this thread, the second one serving. */
function linked(methods: Record<string, (...args: unknown[]) => unknown>, limits: Partial<Limits> = {}) {
  const [here, there] = memoryLinks();
  const client = new Client({ name: 'served', id: 'served', describe: 'served (test)', level: 'objects' });
  const specs = Object.keys(methods).map((name) => ({ name, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }));
  const served = new Session({ link: there, self: 'served', peer: 'test', service: new Service('served', methods, specs as never), limits });
  const session = new Session({ link: here, self: 'test', peer: 'served', onHello: (infos) => client.describeMethods(infos) });
  return { client, session, served, here };
}

const cases: Record<string, readonly (readonly [places: readonly Place[], run: Case])[]> = {
  exhausted: [[DIES, async (place) => {
    const made = await make(place, exhaust());
    await dead(made.calls);
    return { ended: await rejection(Promise.resolve(made.calls.value('it', 1))), file: made.file };
  }]],
  'exhausted-again': [[DIES, async (place) => ({ ended: await rejection(Promise.resolve((await make(place, exhaust())).calls.leaveFirst('it'))) })]],
  'queue-timeout': [
    [PLACES, when({}, async (calls) => (await crowd(calls), rejection(calls.$with({ queueTimeout: 30 }).alone('it', 1))))],
    [DIES, when(LATER, async (calls) => (await dead(calls), rejection(Promise.resolve(calls.$with({ queueTimeout: 30 }).value('it', 1)))))],
  ],
  'queue-timeout-again': [[DIES, when(LATER, (calls) => rejection(Promise.resolve(calls.$with({ queueTimeout: 300 }).leaveFirst('it'))))]],
  'queue-full': [[PLACES, when({ queue: 1 }, async (calls) => (await crowd(calls), rejection(calls.alone('it', 1))))]],
  'not-ready': [[SINGLE, when(LATER, async (calls) => (await dead(calls), rejection(Promise.resolve(calls.$with({ whileRestarting: 'fail' }).value('it', 1)))))]],
  'served-full': [[['none'], async () => {
    const { client, session } = linked({ hang: () => new Promise(() => {}), quick: () => 1 }, { maxServed: 1 });
    await session.ping();
    client.attach(session);
    client.invoke('hang', [], {}).catch(() => {});
    return { ended: await rejection(client.invoke('quick', [], {})) };
  }]],
  resting: [[['pool', 'cpu'], when(RESTS, async (calls) => (await dead(calls), rejection(Promise.resolve(calls.value('it', 1)))))]],
  poison: [[['pool', 'cpu'], when({ poison: { deaths: 1 } }, async (calls) => (await dead(calls), rejection(Promise.resolve(calls.leaves('it')))))]],
  'circuit-open': [[['pool', 'cpu'], when({ breaker: { threshold: 1 } }, async (calls) => (await rejection(Promise.resolve(calls.fails('f', 'no'))), rejection(Promise.resolve(calls.value('it', 1)))))]],
  timeout: [[PLACES, when({}, (calls) => rejection(calls.$with({ timeout: 300 }).slow('it', 60_000)))]],
  deadline: [[PLACES, when({}, (calls) => rejection(past(() => calls.slow('it', 1))))]],
  stopped: [
    [PLACES, when({}, async (calls, { stop }) => (await stop(), rejection(Promise.resolve(calls.value('it', 1)))))],
    [DIES, when(LATER, async (calls, { stop }) => {
      await dead(calls);
      const waiting = rejection(Promise.resolve(calls.value('it', 1)));
      await stop();
      return waiting;
    })],
  ],
  'cut-off': [[PLACES, when({}, async (calls, { stop, file }) => {
    const cut = rejection(calls.slow('it', 60_000));
    await expect.poll(() => readFileSync(file, 'utf8')).toBe('it\n');
    await stop();
    return cut;
  })]],
  crashed: [[DIES, when({}, (calls) => rejection(Promise.resolve(calls.leaves('it'))))]],
  memory: [[DIES, when({ resources: { maxMemory: '40MB' } }, (calls) => rejection(Promise.resolve(calls.eats('it'))))]],
  'link-lost': [[['child'], async () => {
    const { file, calls, pid } = await connected();
    const lost = rejection(calls.slow('it', 60_000));
    await expect.poll(() => readFileSync(file, 'utf8')).toBe('it\n');
    process.kill(pid, 'SIGKILL');
    return { ended: await lost };
  }]],
  'link-unsent': [[['none'], async () => {
    const { session, here } = linked({});
    await session.ping();
    const sent = rejection(session.callReference(12, 'sent', []));
    session.outbox.flush();
    const unsent = rejection(session.callReference(12, 'unsent', []));
    here.close(new MimasError('LINK_CLOSED', 'cut'));
    // One end for both, and two errors.
    expect(await sent).toMatchObject({ code: 'LINK_CLOSED', maybeExecuted: true });
    expect(await unsent).not.toBe(await sent);
    return { ended: await unsent };
  }]],
  'link-gone': [[['child'], async () => {
    const { calls, owner, leave } = await connected();
    await calls.callLater('call', keep(() => 1), 200);
    await leave();
    const told = async () => (await owner.later()) as Outcome;
    await expect.poll(told, { timeout: 10_000 }).toBeDefined();
    return { ended: { ...(await told()) } };
  }]],
  protocol: [[['none'], async () => {
    const { session, here } = linked({});
    await session.ping();
    const sent = rejection(session.callReference(12, 'sent', []));
    session.outbox.flush();
    here.close(new ProtocolError('nonsense'));
    return { ended: await sent };
  }]],
  arguments: [[PLACES, when({}, (calls) => rejection(Promise.resolve(calls.value('it', Symbol('no')))))]],
  result: [[PLACES, when({}, (calls) => rejection(Promise.resolve(calls.unsendable('it'))))]],
  'large-arguments': [
    [['child'], when({ maxFrame: '64KB' }, (calls) => rejection(Promise.resolve(calls.value('it', new Uint8Array(200_000)))))],
    [LINKED, when({}, (calls) => rejection(Promise.resolve(calls.$with({ headers: { long: 'x'.repeat(70_000) } }).value('it', 1))))],
  ],
  'large-result': [[['child'], when({ maxFrame: '64KB' }, (calls) => rejection(Promise.resolve(calls.large('it', 200_000))))]],
  'no-method': [[PLACES, when({}, (calls) => rejection((calls as unknown as { vale(id: string): Promise<void> }).vale('it')))]],
  'no-number': [[['none'], async () => {
    const { client, session } = linked({ here: () => 1 });
    await session.ping();
    client.describeMethods([{ name: 'gone', number: 7, stream: false, timeout: undefined, idempotent: false, concurrency: undefined }]);
    client.attach(session);
    return { ended: await rejection(client.invoke('gone', [], {})) };
  }]],
  released: [
    [LINKED, when({}, async (calls) => {
      await calls.callLater('call', () => 1, 50);
      await expect.poll(() => calls.later(), { timeout: 10_000 }).toBeDefined();
      return calls.later();
    })],
    [['none'], async () => ({ ended: await rejection(linked({}).session.callReference(12_345, '', [])) })],
  ],
  option: [[PLACES, when({}, (calls) => rejection(Promise.resolve(calls.$with({ timeout: 'soon' as never }).value('it', 1))))]],
  'let-through': [
    [LINKED, when({}, (calls) => rejection(calls.letThrough('it', calls, 'vale', [])))],
    [['cpu'], when({}, async (calls) => {
      const inner = await rejection((calls as unknown as { vale(): Promise<void> }).vale());
      expect(inner['maybeExecuted']).toBe(false);
      return rejection(Promise.resolve(calls.throwGiven('it', inner)));
    })],
  ],
  stream: [[['worker', 'child', 'pool'], when({}, async (calls) => {
    await calls.leaveLater(300);
    return rejection((async () => {
      for await (const _ of calls.count('it', 1e6, 5));
    })());
  })]],
};

/** A process that is served by one manager and called by another. */
async function connected() {
  const file = temporaryFile('executions');
  const pm = manager();
  const { process: owner, address, token } = await pm.serve<LedgerProcess>(LEDGER, { isolation: 'child', listen: `unix:${temporaryFile('socket')}`, dependencies: { file } });
  const other = manager();
  const calls = await other.connect<LedgerProcess>(address, { token });
  return { file, owner, calls, pid: owner.$handle.pid!, leave: () => other.shutdown({ timeout: 100 }) };
}

describe.each(CALL_ERRORS)('%s: %s, when %s: maybeExecuted %s', (id, code, _when, maybeExecuted) => {
  const brought = cases[id] ?? [];
  const rows = brought.flatMap(([places, run], way) => places.map((place) => ({ place, run, way })));

  it('is brought about', () => expect(rows.length).toBeGreaterThan(0));

  it.each(rows)('in $place (way $way)', async ({ place, run }) => {
    const { ended, file } = await run(place);
    expect({ code: ended['code'], maybeExecuted: ended['maybeExecuted'] }, String(ended['message'])).toEqual({ code, maybeExecuted });
    if (file && !maybeExecuted) expect(readFileSync(file, 'utf8').split('\n')).not.toContain('it');
  });
});

it('the table has no case without a row', () => {
  expect(Object.keys(cases).filter((id) => !CALL_ERRORS.some(([row]) => row === id))).toEqual([]);
});

describe('a call through a lent proxy', () => {
  it.each(['worker', 'child'] as const)('says of the method that the caller named whether it began (%s)', async (place) => {
    const [{ calls: middle }, { calls: last }] = await Promise.all([make(place), make(place, LATER)]);
    expect(await middle.passOn('outer', last, 'value', ['inner', 5])).toEqual({ ok: true, value: 5 });
    expect(await middle.passOn('outer', last, 'leaves', ['inner'])).toMatchObject({ code: 'PROCESS_CRASHED', maybeExecuted: true });
    expect(await middle.passOnWith('outer', { whileRestarting: 'fail' }, last, 'value', ['inner', 5])).toMatchObject({ code: 'QUEUE_FULL', maybeExecuted: false });
    expect(await middle.passOnWith('outer', { queueTimeout: 20 }, last, 'value', ['inner', 5])).toMatchObject({ code: 'QUEUE_TIMEOUT', maybeExecuted: false });
  });
});

it('a result that cannot cross the last border is no refusal: the method that was passed on to has run', async () => {
  const [{ calls: middle }, { calls: last, file }] = await Promise.all([make('child', { maxFrame: '64KB' }), make('worker')]);
  expect(await middle.passOn('outer', last, 'large', ['inner', 200_000])).toMatchObject({ code: 'FRAME_TOO_LARGE', maybeExecuted: true });
  expect(readFileSync(file, 'utf8')).toBe('inner\n');
});

describe.each(PLACES)('the reason of a signal, in %s', (place) => {
  it("is the caller's own, and nothing is written on it", async () => {
    const { calls } = await make(place);
    for (const early of [true, false]) {
      const reason = new MethodNotFoundError('mine');
      const controller = new AbortController();
      if (early) controller.abort(reason);
      else setTimeout(() => controller.abort(reason), 50);
      expect(await rejection(calls.$with({ signal: controller.signal }).slow('it', 60_000))).toBe(reason);
      expect('maybeExecuted' in reason).toBe(false);
    }
  });
});

it('spawn says nothing of a call', async () => {
  const error = await rejection(manager().spawn(LEDGER, { isolation: 'worker', dependencies: { failFrom: LEDGER.pathname } }));
  expect([error['code'], 'maybeExecuted' in error]).toEqual(['INIT_FAILED', false]);
});
