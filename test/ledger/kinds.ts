// The kinds of call that callers mix: values, streams both ways, callbacks, kept callbacks, signals, proxies; with timeouts, aborts and
// mistakes. Each checks its own answer, and enters into the books what it was told. Invariant: none of them throws.
import { setTimeout as sleep } from 'node:timers/promises';
import { keep, type Remote } from 'mimas';
import type { Books, Entry } from './books.js';
import type { LedgerProcess, Outcome } from './process.js';
import type { Random } from './random.js';

/** Something that can be called. */
export interface Target {
  readonly name: string;
  readonly calls: Remote<LedgerProcess>;
  /** Passes data only. */
  readonly dataOnly?: boolean;
}

export interface Scene {
  readonly books: Books;
  readonly random: Random;
  readonly target: Target;
  /** One whose proxy can be passed on. */
  readonly other: Target;
}

export type Kind = (scene: Scene) => Promise<void>;

interface Told { idempotent?: boolean; reason?: unknown; thrown?: string }

/** Makes a call, checks its answer and books its end. */
async function track(scene: Scene, kind: string, call: (id: string) => unknown, right: (value: never) => boolean, told: Told = {}): Promise<{ entry: Entry; value?: unknown }> {
  const entry = scene.books.open(`${scene.target.name}.${kind}`, told.idempotent);
  try {
    const value = await call(entry.id);
    if (!right(value as never)) scene.books.wrong(entry, `a wrong answer: ${JSON.stringify(value)?.slice(0, 200)}`);
    scene.books.succeeded(entry);
    return { entry, value };
  } catch (error) {
    scene.books.failed(entry, error, told);
    return { entry };
  }
}

const upTo = async function* (n: number, pause: number) {
  for (let i = 0; i < n; i++) {
    if (pause > 0 && i % 8 === 0) await sleep(pause);
    yield i;
  }
};
const sumTo = (n: number): number => (n * (n - 1)) / 2;

/** Reads a stream to its end, checking each item. */
async function read(stream: AsyncIterable<number>, factor: number): Promise<number> {
  let at = 0;
  for await (const item of stream) {
    if (item !== at * factor) return -1;
    at++;
  }
  return at;
}

const value: Kind = async (scene) => {
  const { random, target } = scene;
  const sent = { n: random.int(1e6), text: 'ä'.repeat(random.int(40)), map: new Map([[1, new Date(5)]]), bytes: new Uint8Array(random.int(3000)).fill(7) };
  await track(scene, 'value', (id) => target.calls.value(id, sent), (got: typeof sent) => got.n === sent.n && got.text === sent.text && got.map.get(1)?.getTime() === 5 && got.bytes.length === sent.bytes.length && got.bytes.every((byte) => byte === 7));
};

const again: Kind = async (scene) => {
  const n = scene.random.int(1e6);
  await track(scene, 'again', (id) => scene.target.calls.again(id, n), (got: number) => got === n, { idempotent: true });
};

const slowAgain: Kind = async (scene) => {
  const ms = scene.random.int(40);
  await track(scene, 'slowAgain', (id) => scene.target.calls.slowAgain(id, ms), (got: number) => got === ms, { idempotent: true });
};

const slow: Kind = async (scene) => {
  const ms = scene.random.int(60);
  await track(scene, 'slow', (id) => scene.target.calls.slow(id, ms), (got: number) => got === ms);
};

const fails: Kind = async (scene) => {
  const thrown = `no ${scene.random.int(1e6)}`;
  await track(scene, 'fails', (id) => scene.target.calls.fails(id, thrown), () => false, { thrown });
};

const tooLate: Kind = async (scene) => {
  const ms = scene.random.int(60);
  await track(scene, 'timeout', (id) => scene.target.calls.$with({ timeout: 1 + scene.random.int(40) }).slow(id, ms), (got: number) => got === ms);
};

const impatient: Kind = async (scene) => {
  await track(scene, 'queueTimeout', (id) => scene.target.calls.$with({ queueTimeout: 1 + scene.random.int(10) }).alone(id, 5), (got: number) => got === 5);
};

const atOnce: Kind = async (scene) => {
  await track(scene, 'whileRestarting', (id) => scene.target.calls.$with({ whileRestarting: 'fail' }).value(id, 1), (got: number) => got === 1);
};

const givenUp: Kind = async (scene) => {
  const controller = new AbortController();
  const reason = new Error('given up');
  const ms = scene.random.int(60);
  const timer = setTimeout(() => controller.abort(reason), scene.random.int(50));
  await track(scene, 'abort', (id) => scene.target.calls.$with({ signal: controller.signal }).slow(id, ms), (got: number) => got === ms, { reason });
  clearTimeout(timer);
};

/** More than can wait, and more than the other side takes at once. */
export const burst: Kind = async (scene) => {
  const { calls } = scene.target;
  await Promise.all(Array.from({ length: 60 + scene.random.int(40) }, (_, at) => track(scene, 'burst', (id) => (at % 2 === 0 ? calls.alone(id, 1) : calls.slow(id, 10)), (got: number) => got === (at % 2 === 0 ? 1 : 10))));
};

const unknownMethod: Kind = async (scene) => {
  await track(scene, 'unknown', () => (scene.target.calls as unknown as { vale(): Promise<void> }).vale(), () => false);
};

const uncloneable: Kind = async (scene) => {
  await track(scene, 'symbol', (id) => scene.target.calls.value(id, Symbol('none')), () => false);
};

const unsendable: Kind = async (scene) => {
  await track(scene, 'unsendable', (id) => scene.target.calls.unsendable(id), () => false);
};

const badOption: Kind = async (scene) => {
  await track(scene, 'option', (id) => scene.target.calls.$with({ timeout: 'soon' as never }).value(id, 1), () => false);
};

const streamOut: Kind = async (scene) => {
  const n = scene.random.int(300);
  await track(scene, 'stream', async (id) => read(scene.target.calls.count(id, n, scene.random.chance(0.3) ? 1 : 0), 1), (got: number) => got === n);
};

/** Its consumer leaves before the end. */
const streamLeft: Kind = async (scene) => {
  const entry = scene.books.open(`${scene.target.name}.left`);
  try {
    for await (const item of scene.target.calls.count(entry.id, 1e6)) if (item === 5) break;
    scene.books.succeeded(entry);
  } catch (error) {
    scene.books.failed(entry, error);
  }
};

const streamIn: Kind = async (scene) => {
  const n = scene.random.int(200);
  await track(scene, 'sum', (id) => scene.target.calls.sum(id, upTo(n, scene.random.int(2))), (got: number) => got === sumTo(n));
};

const streamBoth: Kind = async (scene) => {
  const n = scene.random.int(200);
  await track(scene, 'doubled', async (id) => read(scene.target.calls.doubled(id, upTo(n, scene.random.int(2))), 2), (got: number) => got === n);
};

const callback: Kind = async (scene) => {
  const { books, random, target } = scene;
  const inner = Array.from({ length: 1 + random.int(4) }, () => books.open(`${target.name}.callback`));
  const tell = (at: number) => {
    books.ranHere(inner[at]!.id);
    return at + 1;
  };
  const { value: outcomes } = await track(scene, 'each', (id) => target.calls.each(id, inner.map((_, at) => at), tell), (got: Outcome[]) => got.length === inner.length && got.every(({ ok, value }, at) => !ok || value === at + 1));
  inner.forEach((entry, at) => books.reported(entry, (outcomes as Outcome[] | undefined)?.[at]));
};

const keptCallback: Kind = async (scene) => {
  const { books, target } = scene;
  const inner = books.open(`${target.name}.kept`);
  const name = inner.id;
  const held = keep((item: number) => {
    books.ranHere(inner.id);
    return item * 2;
  });
  await track(scene, 'subscribe', (id) => target.calls.subscribe(id, name, held), (got: string) => got === name);
  // A process that has restarted, or another of the pool, knows nothing of it.
  const { value: outcome } = await track(scene, 'notify', (id) => target.calls.notify(id, name, 21), (got: Outcome | undefined) => got === undefined || !got.ok || got.value === 42);
  books.reported(inner, outcome as Outcome | undefined);
  await track(scene, 'unsubscribe', (id) => target.calls.unsubscribe(id, name), (got: boolean) => typeof got === 'boolean');
  held[Symbol.dispose]();
};

const signal: Kind = async (scene) => {
  const controller = new AbortController();
  const aborts = scene.random.chance(0.7);
  const timer = aborts ? setTimeout(() => controller.abort(new Error('enough')), scene.random.int(30)) : undefined;
  await track(scene, 'signal', (id) => scene.target.calls.waits(id, controller.signal, aborts ? 60_000 : scene.random.int(40)), (got: string) => got === (aborts ? 'aborted' : 'time'));
  clearTimeout(timer);
};

/** A process calls another one through a proxy that it is lent. */
const proxy: Kind = async (scene) => {
  const { books, random, target, other } = scene;
  const inner = books.open(`${target.name}>${other.name}.value`);
  const n = random.int(1e6);
  const options = random.chance(0.4) ? { whileRestarting: 'fail' } : random.chance(0.3) ? { queueTimeout: 5 } : {};
  const { entry, value: outcome } = await track(scene, 'proxy', (id) => target.calls.passOnWith(id, options, other.calls, 'value', [inner.id, n]), (got: Outcome) => !got.ok || got.value === n);
  if (entry.end?.how === 'error' && !entry.end.maybeExecuted) books.neverMade(inner);
  else books.reported(inner, outcome as Outcome | undefined);
};

/** What an inner call was told is no word on the outer one, which ran. */
const letThrough: Kind = async (scene) => {
  const { books, target, other } = scene;
  const entry = books.open(`${target.name}.letThrough`);
  try {
    await target.calls.letThrough(entry.id, other.calls, 'vale', []);
    books.wrong(entry, 'an answer from nowhere');
  } catch (error) {
    const { code, maybeExecuted } = error as { code?: string; maybeExecuted?: boolean };
    if (code === 'METHOD_NOT_FOUND' && maybeExecuted !== true) books.wrong(entry, 'it ran, and says that it did not');
    books.failed(entry, error);
  }
};

/** Several at once on one link: arguments of one must not meet those of another. */
const crowd: Kind = async (scene) => {
  await Promise.all(Array.from({ length: 3 + scene.random.int(5) }, () => scene.random.pick(scene.target.dataOnly ? DATA : [...DATA, ...LIVE])(scene)));
};

const DATA: readonly Kind[] = [value, value, again, slowAgain, slow, fails, tooLate, impatient, givenUp, unknownMethod, uncloneable, unsendable, badOption, atOnce];
const LIVE: readonly Kind[] = [streamOut, streamOut, streamLeft, streamIn, streamBoth, callback, callback, keptCallback, signal, proxy, proxy, letThrough];

/** A burst is as many calls as all others of a while together. */
const BURSTS = 0.008;

export const callSomething: Kind = (scene) => {
  const { random, target } = scene;
  return (random.chance(BURSTS) ? burst : random.pick(target.dataOnly ? [...DATA, crowd] : [...DATA, ...LIVE, crowd, crowd]))(scene);
};
