// Every misuse is refused while the class is defined, in both flavours, with a message that says what, where and what to do.
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, InvalidProcessError, UnknownOptionError } from '../../src/errors.js';
import { flavours } from './flavours.js';

type Expected = readonly [error: typeof InvalidProcessError | typeof InvalidOptionError | typeof UnknownOptionError, ...parts: (string | RegExp)[]];

const EXPECTED: Record<string, Expected> = {
  static: [InvalidProcessError, /@Public on (A\.)?create/, 'make it an instance method'],
  field: [InvalidProcessError, /@Public on (A\.)?add/, 'a field', 'write it as a method'],
  getter: [InvalidProcessError, /@Public on (A\.)?total/, 'a getter cannot be called'],
  setter: [InvalidProcessError, /@HealthCheck on (A\.)?total/, 'a setter cannot be called'],
  dollar: [InvalidProcessError, '$with', 'choose another name'],
  underscores: [InvalidProcessError, '__proto', 'choose another name'],
  thenable: [InvalidProcessError, 'then', 'promise', 'choose another name'],
  init: [InvalidProcessError, 'the name init is reserved'],
  constructorName: [InvalidProcessError, 'constructor'],
  symbol: [InvalidProcessError, 'Symbol(method)', 'give it a string name'],
  publicTwice: [InvalidProcessError, /@Public on (A\.)?add/, 'twice'],
  healthTwice: [InvalidProcessError, /@HealthCheck on (A\.)?health/, 'twice'],
  shutdownTwice: [InvalidProcessError, /@OnShutdown on (A\.)?close/, 'twice'],
  processTwice: [InvalidProcessError, '@Process on A', 'twice'],
  processOnMethod: [InvalidProcessError, '@Process on', 'it belongs on the class itself'],
  publicOnClass: [InvalidProcessError, '@Public on A', 'it belongs on a method'],
  barePublic: [InvalidProcessError, /@Public on (A\.)?add/, 'write @Public()'],
  bareHealth: [InvalidProcessError, /@HealthCheck on (A\.)?health/, 'write @HealthCheck()'],
  bareShutdown: [InvalidProcessError, /@OnShutdown on (A\.)?close/, 'write @OnShutdown()'],
  bareProcess: [InvalidProcessError, '@Process on A', 'write @Process()'],
  unknownOption: [UnknownOptionError, /@Public on (A\.)?add/, "unknown option 'timout'", "did you mean 'timeout'?"],
  unknownProcessOption: [UnknownOptionError, '@Process on A', "did you mean 'name'?"],
  shutdownOption: [UnknownOptionError, "unknown option 'order'", 'it takes no options'],
  badTimeout: [InvalidOptionError, /@Public on (A\.)?add: timeout/, "'soon' is not a duration"],
  zeroTimeout: [InvalidOptionError, 'timeout', 'longer than 0'],
  badConcurrency: [InvalidOptionError, 'concurrency', '1.5 is not a whole number'],
  badFlag: [InvalidOptionError, 'idempotent', "'yes' is neither true nor false"],
  badName: [InvalidOptionError, '@Process on A: name', 'is not a text'],
  noObject: [InvalidOptionError, 'options are an object', '"5s"'],
  private: [InvalidProcessError, '@Public on #secret', 'drop the #'],
  accessor: [InvalidProcessError, '@Public on total', 'an accessor cannot be called'],
  privateStatic: [InvalidProcessError, '#secret', 'make it an instance method'],
};

describe.each(flavours)('$flavour decorators refuse', ({ bad }) => {
  it.each(Object.keys(bad))('%s', (name) => {
    const [error, ...parts] = EXPECTED[name]!;
    let thrown: unknown;
    try {
      bad[name]!();
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(error);
    for (const part of parts) expect((thrown as Error).message).toMatch(part);
  });
});

it('names the option and the suggestion on the error itself', () => {
  expect(() => flavours[0]!.bad['unknownOption']!()).toThrow(expect.objectContaining({ option: 'timout', suggestion: 'timeout' }));
  expect(() => flavours[0]!.bad['badTimeout']!()).toThrow(expect.objectContaining({ option: 'timeout', code: 'INVALID_OPTION' }));
});

it('says what is missing when a compiler lowers standard decorators without metadata', async () => {
  const { Public } = await import('../../src/decorators/index.js');
  const apply = Public() as unknown as (value: unknown, context: object) => void;
  const context = { kind: 'method', name: 'add', static: false, private: false };
  expect(() => apply(() => 1, context)).toThrow(/carry no metadata; compile with TypeScript 5\.2/);
});
