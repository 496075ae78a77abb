// Errors of other realms are errors: those of vm contexts, as Jest and vitest make them, lose what is too large as all others do.
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { slimError } from '../../src/rpc/slim-error.js';

it.each([['this', () => new Error('outer', { cause: new Error('inner') })], ['another', () => runInNewContext("new Error('outer', { cause: new Error('inner') })") as Error]])('an error of %s realm keeps a cause that has room once its own field has gone', (_, make) => {
  const error = make();
  Object.assign(error.cause as Error, { payload: 'x'.repeat(400_000), small: 2 });
  const slim = slimError(error, { level: 'bytes', maxFrame: 100_000 }) as Error & { omitted: string[] };
  expect(slim.omitted).toEqual(['cause.payload']);
  expect(slim.cause).toMatchObject({ message: 'inner', small: 2, omitted: ['payload'] });
});
