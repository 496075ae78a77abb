// A served process under hostile clients that have the token. `npm run hostile` does the same at any length.
import { afterAll, describe, expect, it } from 'vitest';
import { findingsOf, sharedStage } from './in-ci.js';
import { SOCKETS } from './raw-peer.js';

const stage = sharedStage();
afterAll(() => stage.strike());
const LONG = 300_000;
/** tls and wss carry the same frames as tcp and ws. */
const NTH = { unix: 1, tcp: 1, ws: 1, tls: 12, wss: 12 } as const;

describe('a served process survives any frame', () => {
  it.each(SOCKETS)('over %s: it is answered or the link ends, and nobody else notices', async (transport) => {
    expect(await findingsOf(await stage.get(), { part: 'table', direction: 'served', transport, nth: NTH[transport] })).toEqual([]);
  }, LONG);
});
