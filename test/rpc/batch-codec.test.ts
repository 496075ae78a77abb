// A batch arrives as it was packed, and nonsense is refused.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.js';
import { packBatch, unpackBatch } from '../../src/rpc/batch-codec.js';
import { difference } from './strict-difference.js';

const through = (entries: unknown[], attachments: Uint8Array[] = []) => unpackBatch(Buffer.concat(packBatch(entries, attachments)));

describe('a batch', () => {
  it('keeps undefined, NaN, -0, null, and number apart from bigint', () => {
    const entries = [undefined, NaN, -0, 0, null, true, 1, 1n, 2 ** 60, 2n ** 60n, -5, -5n, 200, 70_000, -70_000, '', 'é\ud800', [1, [2n, undefined]], 1.5, 2n ** 100n];
    expect(difference(through(entries).entries, entries)).toBeUndefined();
  });

  it('keeps any primitives', () => {
    const primitive = fc.oneof(fc.bigInt(), fc.double(), fc.integer(), fc.string({ unit: 'binary' }), fc.boolean(), fc.constantFrom(undefined, null, -0));
    fc.assert(fc.property(fc.array(fc.oneof(primitive, fc.array(primitive))), (entries) => {
      expect(difference(through(entries).entries, entries)).toBeUndefined();
    }), { numRuns: 300 });
  });

  it('carries payloads and attachments, which are not copied into the packed part', () => {
    const attachments = [new Uint8Array(100_000).fill(1), new Uint8Array(4_096).fill(2)];
    const chunks = packBatch([1, new Uint8Array([9, 8]), new Uint8Array(300)], attachments);
    expect(chunks.slice(1)).toEqual(attachments);
    expect(chunks[1]).toBe(attachments[0]);
    const { entries, attachments: arrived } = unpackBatch(Buffer.concat(chunks));
    expect([...(entries[1] as Uint8Array)]).toEqual([9, 8]);
    expect((entries[2] as Uint8Array).byteLength).toBe(300);
    expect(arrived.map((a) => [a.byteLength, a[0]])).toEqual([[100_000, 1], [4_096, 2]]);
  });

  it('refuses attachments that are too small to be some: each would become an object', () => {
    expect(() => unpackBatch(Buffer.concat(packBatch([1], [new Uint8Array(4_095)])))).toThrow(/too small/);
    expect(() => unpackBatch(Buffer.concat(packBatch([1], Array.from({ length: 100 }, () => new Uint8Array(0)))))).toThrow(ProtocolError);
  });

  it('refuses frames whose lengths lie', () => {
    const good = Buffer.concat(packBatch([1, 'a'], [new Uint8Array(4_100)]));
    for (let cut = 0; cut < good.length; cut += cut < 20 ? 1 : 97) expect(() => unpackBatch(good.subarray(0, cut))).toThrow(ProtocolError);
    expect(() => unpackBatch(Buffer.concat([good, Buffer.from([0])]))).toThrow(ProtocolError);
    for (const at of [0, 4, 8]) {
      const frame = Buffer.from(good);
      frame.writeUInt32LE(0xffff_ffff, at);
      expect(() => unpackBatch(frame)).toThrow(ProtocolError);
    }
    const notAList = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 5]);
    expect(() => unpackBatch(notAList)).toThrow(ProtocolError);
  });
});

describe('msgpackr', () => {
  it('is a private copy of its reader: nothing of the shared one is loaded or changed', () => {
    const script = `
      import { createRequire } from 'node:module';
      import { ValueCodec } from './dist/rpc/codec.js';
      const codec = new ValueCodec({ level: 'objects', maxFrame: 1e6 });
      const through = (value) => { const { tag, payload } = codec.encode(value); return codec.decode(tag, payload); };
      const require = createRequire(process.cwd() + '/x.js');
      const loaded = () => Object.keys(require.cache).filter((file) => file.includes('/msgpackr/')).length;
      const date = through({ at: new Date(7000) });
      const before = loaded();
      const shared = require('msgpackr');
      console.log(JSON.stringify([date, before, loaded() > 0, shared.unpack(shared.pack(new Date(5000)))]));
    `;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    expect(JSON.parse(out)).toEqual([{ at: new Date(7000).toJSON() }, 0, true, new Date(5000).toJSON()]);
  });
});
