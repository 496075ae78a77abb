// Mutated frames of honest traffic, a little of them on each transport: `npm run hostile -- --frames 200000 --transport unix` for many.
// A failure names its seed; MIMAS_SEED plays it again.
import { afterAll, describe, expect, it } from 'vitest';
import { findingsOf, sharedStage } from './in-ci.js';
import { SOCKETS } from './raw-peer.js';

const stage = sharedStage();
afterAll(() => stage.strike());
const LONG = 120_000;
/** For all of them together some 20 s. */
const WITHIN = 1_000;

describe('frames that were honest once', () => {
  it.each(SOCKETS)('end no served process over %s', async (transport) => {
    expect(await findingsOf(await stage.get(), { part: 'frames', direction: 'served', transport, within: WITHIN })).toEqual([]);
  }, LONG);

  it.each([...SOCKETS, 'pipe', 'port'] as const)('end no program that is answered with them over %s', async (transport) => {
    expect(await findingsOf(await stage.get(), { part: 'frames', direction: 'host', transport, within: WITHIN })).toEqual([]);
  }, LONG);
});
