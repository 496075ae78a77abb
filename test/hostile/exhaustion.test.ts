// A served process under clients that have the token and want to use it up.
import { afterAll, describe, expect, it } from 'vitest';
import { findingsOf, sharedStage } from './in-ci.js';

const stage = sharedStage();
afterAll(() => stage.strike());
const LONG = 600_000;

describe('a served process is not used up', () => {
  // ws holds back in a way of its own; tcp and tls do it as unix does.
  it.each(['unix', 'ws'] as const)('over %s: memory stays bounded, the honest caller gets its turn, all of it comes back', async (transport) => {
    expect(await findingsOf(await stage.get(), { part: 'exhaustion', direction: 'served', transport })).toEqual([]);
  }, LONG);
});
