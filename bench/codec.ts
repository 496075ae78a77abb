// Microseconds per encode and decode through the value codec, beside raw msgpackr and structuredClone.
// Run: node --import ./dist/register.js bench/codec.ts
import { createRequire } from 'node:module';
import { ValueCodec } from '../dist/rpc/codec.js';

const { Packr } = createRequire(import.meta.url)('msgpackr') as { Packr: new (options: object) => { pack(value: unknown): Uint8Array; unpack(bytes: Uint8Array): unknown } };

const person = (i: number) => ({
  id: i, name: `customer number ${i}`, email: `customer${i}@example.com`, active: i % 2 === 0, score: i * 1.37,
  address: { street: `${i} Long Street`, city: 'Springfield', zip: '12345', geo: { lat: 47.3769 + i, lon: 8.5417 } },
});
const nested = (i: number) => ({
  requestId: `req-${i}-abcdef`, user: person(i), items: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ sku: `SKU-${n}-${i}`, quantity: n, price: n * 9.99, tags: ['new', 'sale'] })),
  meta: { created: 1_700_000_000_000 + i, source: 'bench', flags: [true, false, null], note: 'the quick brown fox jumps over the lazy dog and keeps running through the field' },
});
// About 1 KB as JSON.
const values = Array.from({ length: 64 }, (_, i) => nested(i));
const buffer = new Uint8Array(1024 * 1024).fill(7);
const ROUNDS = 7;

function time(count: number, run: (i: number) => void): number {
  const rounds: number[] = [];
  for (let i = 0; i < count; i++) run(i);
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) run(i);
    rounds.push(((performance.now() - start) * 1000) / count);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

function print(what: string, encode: number, decode: number): void {
  console.log(`${what.padEnd(46)} enc ${encode.toFixed(3).padStart(9)}  dec ${decode.toFixed(3).padStart(9)}  sum ${(encode + decode).toFixed(3).padStart(9)} µs`);
}

function codecRow(level: 'objects' | 'bytes', what: string, pick: (i: number) => unknown, count: number, standalone = false): void {
  const sender = new ValueCodec({ level, maxFrame: 64 * 1024 * 1024 });
  const receiver = new ValueCodec({ level, maxFrame: 64 * 1024 * 1024 });
  for (let i = 0; i < 4; i++) {
    const { tag, payload, attachments } = sender.encode(pick(i), { standalone });
    receiver.decode(tag, payload, attachments);
  }
  const encode = time(count, (i) => sender.encode(pick(i & 63), { standalone }));
  const { tag, payload, attachments } = sender.encode(pick(5), { standalone });
  const decode = time(count, () => receiver.decode(tag, payload, attachments));
  print(`codec ${level}${standalone ? ' standalone' : ''}: ${what} (tag ${tag})`, encode, decode);
}

function rawRow(what: string, pick: (i: number) => unknown, count: number): void {
  const sender = new Packr({ sequential: true });
  const receiver = new Packr({ sequential: true });
  for (let i = 0; i < 4; i++) receiver.unpack(sender.pack(pick(i)));
  const encode = time(count, (i) => sender.pack(pick(i & 63)));
  const bytes = sender.pack(pick(5));
  print(`msgpackr sequential: ${what} (${bytes.byteLength} bytes)`, encode, time(count, () => receiver.unpack(bytes)));
}

const cases: [what: string, pick: (i: number) => unknown, count: number][] = [
  ['add args', (i) => [i, i + 1], 300_000],
  ['nested 1 KB', (i) => values[i], 60_000],
  ['1000 numbers', () => numbers, 5_000],
  ['1 MiB buffer', () => buffer, 200],
];
const numbers = Array.from({ length: 1000 }, (_, i) => i * 1.5);
for (const [what, pick, count] of cases) {
  rawRow(what, pick, count);
  codecRow('objects', what, pick, count);
  codecRow('bytes', what, pick, count);
  codecRow('bytes', what, pick, count, true);
  print(`structuredClone: ${what} (both ways)`, time(Math.max(200, count / 10), (i) => structuredClone(pick(i & 63))), 0);
}
console.log(`JSON size of the nested object: ${JSON.stringify(values[5]).length}`);
