// Any value that structured clone carries comes back equal through every transport.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessManager, type Isolation, type ProcessManager } from 'mimas';
import type Contract from '../fixtures/processes/contract.process.js';
import { FILE, TRANSPORTS, type Proxy } from './cells.js';

const primitive = fc.oneof(
  fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constantFrom(null, undefined, -0, NaN, Infinity), fc.bigInt(), fc.constant('\ud800'),
);
const leaf = fc.oneof(
  { weight: 4, arbitrary: primitive },
  { weight: 1, arbitrary: fc.date({ noInvalidDate: false }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.oneof(fc.float64Array(), fc.int16Array(), fc.bigInt64Array(), fc.uint8ClampedArray()) },
  { weight: 1, arbitrary: fc.string().map((message) => Object.assign(new RangeError(message), { code: 'E' })) },
  { weight: 1, arbitrary: fc.constantFrom(/a/g, /[\u{1F600}]/u) },
);
const key = fc.string().filter((name) => name !== '__proto__');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 12 }),
    fc.dictionary(key, tie('value'), { maxKeys: 8, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
    fc.sparseArray(tie('value'), { maxNumElements: 4 }),
    tie('value').map((shared) => ({ left: shared, right: shared })),
    tie('value').map((inner) => {
      const cycle: Record<string, unknown> = { inner };
      cycle['self'] = [cycle];
      return cycle;
    }),
  ),
}));

const RUNS = { none: 60, worker: 120, child: 120 } satisfies Record<Isolation, number>;

describe.each(['none', 'worker', 'child'] as const)('values, isolation %s', (isolation) => {
  describe.each(TRANSPORTS)('over %s', (transport) => {
    let pm: ProcessManager;
    let calc: Proxy;
    beforeAll(async () => {
      pm = createProcessManager({ isolation, transport });
      calc = await pm.spawn<Contract>(FILE);
    });
    afterAll(() => pm.shutdown());

    it('echoes any cloneable value', async () => {
      await fc.assert(
        fc.asyncProperty(value, async (sent) => {
          expect(await calc.echo(sent)).toStrictEqual(sent);
        }),
        { numRuns: RUNS[isolation] },
      );
    });
  });
});
