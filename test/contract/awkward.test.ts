// What a user's object does when it is touched reaches no further than its own call: in every place where one may stand, in every isolation.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessManager, type ProcessManager, type Remote } from 'mimas';
import { AWKWARD } from '../fixtures/processes/awkward.js';
import type Awkward from '../fixtures/processes/awkward.process.js';

const FILE = new URL('../fixtures/processes/awkward.process.ts', import.meta.url);
type Proxied = Remote<Awkward> & Record<string, (...args: unknown[]) => Promise<unknown>>;
type Place = (process: Proxied, name: string) => Promise<unknown>;

const all = async (items: unknown): Promise<void> => {
  for await (const _ of items as AsyncIterable<unknown>);
};
const fails = (name: string) => () => {
  throw AWKWARD[name]!();
};

const PLACES: Readonly<Record<string, Place>> = {
  argument: (process, name) => process['takes']!(AWKWARD[name]!()),
  'argument of an async method': (process, name) => process['takesLater']!(AWKWARD[name]!()),
  'inside an argument': (process, name) => process['takes']!({ deep: [{ value: AWKWARD[name]!() }] }),
  result: (process, name) => process['gives']!(name),
  'later result': (process, name) => process['givesLater']!(name),
  'inside a result': (process, name) => process['givesInside']!(name),
  thrown: (process, name) => process['throws']!(name),
  rejected: (process, name) => process['rejects']!(name),
  'inside an error': (process, name) => process['throwsInside']!(name),
  'among errors': (process, name) => process['throwsMany']!(name),
  'stream item': (process, name) => all(process['streams']!(name)),
  'return value of a stream': (process, name) => all(process['ends']!(name)),
  'error of a stream': (process, name) => all(process['breaks']!(name)),
  'argument of a callback': (process, name) => process['calls']!(name, () => 1),
  'result of a callback': (process, name) => process['asks']!(() => AWKWARD[name]!()),
  'error of a callback': (process, name) => process['asks']!(fails(name)),
  'item of an argument': (process, name) => process['reads']!((async function* () { yield AWKWARD[name]!(); })()),
  'error of an argument': (process, name) => process['reads']!((async function* () { yield 1; fails(name)(); })()),
  'an argument that is iterated': (process, name) => process['reads']!(AWKWARD[name]!() as AsyncIterable<unknown>),
  'reason of a signal': (process, name) => {
    const controller = new AbortController();
    const call = process['waits']!(controller.signal);
    controller.abort(AWKWARD[name]!());
    return call;
  },
  'reason of a signal that had aborted': (process, name) => process['waits']!(AbortSignal.abort(AWKWARD[name]!())),
  'reason of a call that is given up': (process, name) => {
    const controller = new AbortController();
    const call = process.$with({ signal: controller.signal })['asks']!(() => new Promise(() => {}));
    controller.abort(AWKWARD[name]!());
    return call;
  },
  header: async (process, name) => process.$with({ headers: { a: AWKWARD[name]!() as string } }).add(1, 1),
  key: async (process, name) => process.$with({ key: AWKWARD[name]!() as string }).add(1, 1),
  transfer: async (process, name) => process.$with({ transfer: [AWKWARD[name]!() as never] }).add(1, 1),
  'options of a call': async (process, name) => process.$with(AWKWARD[name]!() as never).add(1, 1),
  'result of a health check': async (process, name) => {
    await process.feels(name);
    return process.$handle.health();
  },
};

/** Whatever it says: it is said, soon. */
async function settles(call: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => (timer = setTimeout(resolve, 20_000, 'late')));
  expect(await Promise.race([(async () => call())().then(() => 'settled', () => 'settled'), late])).toBe('settled');
  clearTimeout(timer);
}

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);

describe.each([['none', 'ipc'], ['worker', 'ipc'], ['child', 'unix']] as const)('awkward objects, %s over %s', (isolation, transport) => {
  let pm: ProcessManager;
  let process_: Proxied;
  beforeAll(async () => {
    process.on('unhandledRejection', note);
    pm = createProcessManager();
    process_ = (await pm.spawn<Awkward>(FILE, { isolation, transport })) as unknown as Proxied;
  });
  afterAll(async () => {
    await pm.shutdown();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it.each(Object.keys(PLACES))('as %s', async (place) => {
    for (const name of Object.keys(AWKWARD)) {
      const beside = Promise.all(Array.from({ length: 3 }, (_, i) => process_.add(i, 1)));
      await settles(() => PLACES[place]!(process_, name));
      expect(await beside, name).toEqual([1, 2, 3]);
    }
    expect({ restarts: process_.$handle.restarts, status: process_.$handle.status }).toEqual({ restarts: 0, status: 'running' });
  });
});

describe('awkward objects, threads of a CPU pool', () => {
  let pm: ProcessManager;
  let pool: Proxied;
  beforeAll(async () => {
    pm = createProcessManager();
    pool = (await pm.pool<Awkward>(FILE, { workload: 'cpu', size: 1 })) as unknown as Proxied;
  });
  afterAll(() => pm.shutdown());

  it.each(['argument', 'inside an argument', 'result', 'later result', 'inside a result', 'thrown', 'rejected', 'inside an error', 'among errors'])('as %s', async (place) => {
    for (const name of Object.keys(AWKWARD)) {
      await settles(() => PLACES[place]!(pool, name));
      expect(await pool.add(1, 1), name).toBe(2);
    }
  });
});
