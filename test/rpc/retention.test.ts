// A link that rests keeps nothing large of what it carried last.
import { expect, it } from 'vitest';
import { createProcessManager } from '../../dist/index.js';
import { ValueCodec } from '../../dist/rpc/codec.js';
import type Contract from '../fixtures/processes/contract.process.js';
import { lives } from '../helpers/garbage.js';

const MIB = 1024 * 1024;

it.each(['objects', 'bytes'] as const)('a codec lets go of what it encoded for a link of %s', async (level) => {
  const codec = new ValueCodec({ level, maxFrame: 64 * MIB });
  const attached = () => new WeakRef(codec.encode([new Uint8Array(MIB)]).attachments![0] as object);
  expect(await lives(attached())).toBe(false);
  const packed = () => new WeakRef((codec.encode(Array.from({ length: 50_000 }, (_, i) => ({ i }))).payload as Uint8Array).buffer);
  expect(await lives(packed())).toBe(false);
});

it.each(['none', 'worker', 'child'] as const)('the caller of a process (%s) lets go of an argument and of an answer', async (isolation) => {
  await using pm = createProcessManager({ isolation });
  const process = await pm.spawn<Contract>(new URL('../fixtures/processes/contract.process.ts', import.meta.url));
  const call = async () => {
    const given = { list: Array.from({ length: 20_000 }, (_, i) => i + 0.5) };
    const got = await process.echo(given);
    expect(got).toEqual(given);
    return [new WeakRef<object>(given), new WeakRef<object>(got as object)] as const;
  };
  const [given, got] = await call();
  expect(await lives(given)).toBe(false);
  expect(await lives(got)).toBe(false);
});
