// What cannot cross is refused by path, before anything is sent, moved or defined; live things go to the session.
import { MessageChannel } from 'node:worker_threads';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FrameTooLargeError, NotCloneableError } from '../../src/errors.js';
import type { LiveKind, LiveReferences } from '../../src/rpc/codec.js';
import { ASCII, LEVELS, Tag, pair } from './pair.js';

const refusal = (run: () => unknown): NotCloneableError => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(NotCloneableError);
    return error as NotCloneableError;
  }
  throw new Error('was not refused');
};

class Live implements LiveReferences {
  exported: [LiveKind, string][] = [];
  imported: unknown[] = [];
  exportLive(_value: object, kind: LiveKind, path: string): unknown {
    return { id: this.exported.push([kind, path]), at: [kind] };
  }
  importLive(kind: LiveKind, description: unknown): unknown {
    this.imported.push(description);
    return `live ${kind}`;
  }
}

describe.each(LEVELS)('%s link', (level) => {
  const frozen = pair(level).sender;

  it.each<[what: string, value: unknown, path: string, words: RegExp]>([
    ['a symbol', [Symbol('s')], 'args[0]', /string/],
    ['a function without a session', [{ on: { done: () => 1 } }], 'args[0].on.done', /function/],
    ['a promise', [{ p: Promise.resolve() }], 'args[0].p', /await/],
    ['a WeakMap', [{ db: { pool: [1, 2, 3, new WeakMap()] } }], 'args[0].db.pool[3]', /WeakMap/],
    ['what a Map holds', [new Map([['k', new WeakSet()]])], 'args[0].get("k")', /WeakSet/],
    ['what a Set holds', [new Set([Symbol('x')])], 'args[0].values()[0]', /symbol/i],
    ['an odd key', [{ 'a-b': new WeakRef({}) }], 'args[0]["a-b"]', /WeakRef/],
    ['Atomics', [{ a: Atomics }], 'args[0].a', /plain data/],
    ['a URL, which would arrive empty', [new URL('http://x')], 'args[0]', /URL/],
    ['a boxed symbol', [Object(Symbol('x'))], 'args[0]', /Symbol/],
  ])('refuses %s by path', (_, value, path, words) => {
    const error = refusal(() => frozen.encode(value, { root: 'args' }));
    expect(error.path).toBe(path);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(path);
  });

  it('refuses what is nested too deep, by an error and not by the stack', () => {
    let deep: unknown = {};
    for (let i = 0; i < 200_000; i++) deep = { deep };
    expect(refusal(() => frozen.encode(deep)).message).toMatch(/deeper than 1000/);
    let wide: unknown = [];
    for (let i = 0; i < 4; i++) wide = [wide];
    expect(refusal(() => pair(level, { maxDepth: 3 }).sender.encode(wide)).path).toBe('value[0][0][0]');
  });

  it('refuses a detached buffer', () => {
    const buffer = new ArrayBuffer(8);
    structuredClone(buffer, { transfer: [buffer] });
    expect(refusal(() => frozen.encode([buffer])).message).toMatch(/transferred/);
  });

  it('gives live things to the session with kind and path', () => {
    const live = new Live();
    const { send } = pair(level, { live });
    async function* asyncGenerator() { yield 1; }
    function* generator() { yield 1; }
    const remote = new Proxy(() => 1, { get: (_, key) => (key === Symbol.for('mimas.remote') ? true : undefined) });
    const value = { f: () => 1, a: asyncGenerator(), g: generator(), r: new ReadableStream(), n: Readable.from([1]), s: new AbortController().signal, p: remote, i: { [Symbol.asyncIterator]: asyncGenerator }, o: { [Symbol.for('mimas.remote')]: 1 }, m: new Map().keys() };
    expect(send(value, { root: 'result' })).toEqual({ f: 'live function', a: 'live stream', g: 'live stream', r: 'live readable', n: 'live stream', s: 'live signal', p: 'live proxy', i: 'live stream', o: 'live proxy', m: 'live stream' });
    expect(live.exported).toContainEqual(['signal', 'result.s']);
    expect(live.imported[0]).toEqual({ id: 1, at: ['function'] });
  });

  it('exports nothing when another part is refused or too large', () => {
    const live = new Live();
    const { sender } = pair(level, { live, maxFrame: 10_000 });
    refusal(() => sender.encode([() => 1, Symbol('x')]));
    expect(() => sender.encode([() => 1, new Uint8Array(20_000)])).toThrow(FrameTooLargeError);
    expect(live.exported).toEqual([]);
  });

  it('says size and limit of what is too large, and moves nothing', () => {
    const { sender, send } = pair(level, { maxFrame: 10_000 });
    const buffer = new ArrayBuffer(20_000);
    for (const value of ['x'.repeat(20_000), ['x'.repeat(20_000)], { a: 'x'.repeat(20_000) }, [new Map(), 'é'.repeat(20_000)], { buffer }]) {
      expect(() => sender.encode(value, { transfer: [buffer] })).toThrow(FrameTooLargeError);
    }
    try {
      sender.encode({ buffer });
    } catch (error) {
      expect(error).toMatchObject({ limit: 10_000 });
      expect((error as FrameTooLargeError).size).toBeGreaterThanOrEqual(20_000);
    }
    expect(buffer.byteLength).toBe(20_000);
    expect(send({ a: 1 })).toEqual({ a: 1 });
  });

  it('detaches named buffers at the sender, and a view arrives on the moved buffer', () => {
    const { send } = pair(level);
    for (const size of [64, 100_000]) {
      const view = new Uint8Array(new ArrayBuffer(size), 8, 16).fill(5);
      const unused = new ArrayBuffer(10);
      const arrived = send({ view }, { transfer: [view.buffer, unused] }) as { view: Uint8Array };
      expect([view.byteLength, unused.byteLength]).toEqual([0, 0]);
      expect([arrived.view.byteOffset, arrived.view.byteLength, arrived.view.buffer.byteLength, arrived.view[0]]).toEqual([8, 16, size, 5]);
    }
  });

  it('refuses a transfer list that names what cannot be moved, and moves nothing', () => {
    const { sender } = pair(level);
    const buffer = new ArrayBuffer(8);
    for (const item of [new Map(), new Date(), /x/, new SharedArrayBuffer(8), new Blob([]), new Error('x')]) {
      const error = refusal(() => sender.encode({ buffer }, { transfer: [buffer, item] as never }));
      expect([error.path, buffer.byteLength]).toEqual(['transfer', 8]);
    }
    const gone = structuredClone(buffer, { transfer: [buffer] });
    expect(refusal(() => sender.encode({ gone }, { transfer: [gone, buffer] })).message).toMatch(/it was transferred already/);
    expect(gone.byteLength).toBe(8);
  });

  it('copies what the engine keeps, though it was named to be moved', () => {
    const { send } = pair(level);
    const memory = new (globalThis as unknown as { WebAssembly: { Memory: new (options: object) => { buffer: ArrayBuffer } } }).WebAssembly.Memory({ initial: 1 }).buffer;
    new Uint8Array(memory)[0] = 7;
    const arrived = send({ memory }, { transfer: [memory] }) as { memory: ArrayBuffer };
    expect([arrived.memory.byteLength, new Uint8Array(arrived.memory)[0], memory.byteLength]).toEqual([65_536, 7, 65_536]);
  });

  it("sends of Node's pool no byte but those of the view", () => {
    const { send } = pair(level);
    const pooled = Buffer.from('mine');
    expect(pooled.byteLength).toBeLessThan(pooled.buffer.byteLength);
    const view = new Uint8Array(pooled.buffer, pooled.byteOffset, pooled.byteLength);
    for (const value of [pooled, view, new DataView(pooled.buffer, pooled.byteOffset, pooled.byteLength)]) {
      for (const options of [{}, { transfer: [pooled.buffer as ArrayBuffer] }]) {
        const arrived = (send([value, new Map()], options) as [ArrayBufferView])[0];
        expect([arrived.buffer.byteLength, Buffer.from(arrived.buffer).toString()]).toEqual([4, 'mine']);
      }
    }
    expect(pooled.toString()).toBe('mine');
  });

  it('never lets a given-up message disturb the next one', () => {
    const { sender, send } = pair(level, { maxFrame: 5000 });
    for (let i = 0; i < 300; i++) {
      const shape = { [`a${i}`]: 1, b: { [`c${i % 7}`]: i } };
      for (const spoil of [Symbol('x'), 'x'.repeat(6000)]) for (let n = 0; n < 3; n++) expect(() => sender.encode([shape, shape[`a${i}`], spoil])).toThrow();
      for (let n = 0; n < 3; n++) expect(send(shape)).toEqual(shape);
    }
    sender.encode({ never: 1, sent: 2 });
    sender.encode({ never: 3, sent: 4 });
    sender.abandon();
    expect(send({ never: 5, sent: 6 })).toEqual({ never: 5, sent: 6 });
    expect(send({ b: { c1: 1 } })).toEqual({ b: { c1: 1 } });
  });

  it('keeps standalone payloads readable in any order, twice, by another codec', () => {
    const { sender, carry } = pair(level);
    const wires = [{ a: 1 }, { a: 2 }, [1, 2], new Map([[1, 2]]), { a: 3, b: [{ a: 4 }] }].map((value) => ({ value, wire: carry(sender.encode(value, { standalone: true })) }));
    for (const { value, wire } of [...wires.reverse(), ...wires]) {
      const first = pair(level).read(wire);
      expect(first).toEqual(value);
      if (Array.isArray(first)) first.length = 0;
    }
  });

  it('drops an own __proto__ and changes no prototype', () => {
    const { send } = pair(level);
    for (const value of [JSON.parse('{"__proto__":{"polluted":1},"a":1}'), JSON.parse('{"__proto__":1,"a":1}')] as object[]) {
      for (let n = 0; n < 3; n++) {
        for (const arrived of [send(value), send({ value, n: new Map() }), send({ value }, { standalone: true })] as { value?: object }[]) {
          const object = arrived.value ?? arrived;
          expect(Object.keys(object)).toEqual(['a']);
          expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
        }
      }
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('host objects', () => {
  it('cross between threads as they are', () => {
    const { send } = pair('objects');
    const { port1 } = new MessageChannel();
    const memory = new SharedArrayBuffer(16);
    const arrived = send({ port1, memory, view: new Int32Array(memory, 4, 1), blob: new Blob(['x']) }, { transfer: [port1] }) as { memory: SharedArrayBuffer; view: Int32Array; blob: Blob; port1: object };
    new Int32Array(memory)[1] = 42;
    expect(arrived.view[0]).toBe(42);
    expect(arrived.view.buffer).toBe(arrived.memory);
    expect(arrived.blob.size).toBe(1);
    expect(arrived.port1).toBeInstanceOf(MessagePort);
    (arrived.port1 as typeof port1).close();
  });

  it('are refused over bytes, and a port needs the transfer list', () => {
    const { sender } = pair('bytes');
    const { port1 } = new MessageChannel();
    for (const value of [new SharedArrayBuffer(8), new Int8Array(new SharedArrayBuffer(8)), new Blob([]), port1]) {
      expect(refusal(() => sender.encode({ a: [value] }, { root: 'args' })).path).toBe('args.a[0]');
    }
    expect(refusal(() => pair('objects').sender.encode([port1])).message).toMatch(/transfer/);
    port1.close();
  });
});

describe('dictionaries', () => {
  it('with ever-changing keys define no records and stay exact beside stable shapes', () => {
    const { sender, read, carry } = pair('bytes');
    for (let i = 0; i < 3000; i++) {
      const value = { stable: i, dictionary: { [`id-${i}`]: 1, [`other-${i}`]: 2 } };
      const encoded = sender.encode(value);
      expect(encoded.tag).toBe(Tag.PLAIN + ASCII);
      if (i > 2) expect(encoded.size).toBeLessThan(40);
      expect(read(carry(encoded))).toEqual(value);
    }
  });
});
