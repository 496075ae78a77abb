// An honest program that calls a lying process: over sockets, over the pipe of its own child, over the port of its own thread.
import { afterAll, describe, expect, it } from 'vitest';
import { findingsOf, sharedStage } from './in-ci.js';
import { SOCKETS } from './raw-peer.js';

const stage = sharedStage();
afterAll(() => stage.strike());
const LONG = 300_000;
/** A liar of its own is started anew whenever its link has ended, which takes its time: a sample. The command runs all of them. */
const NTH = { unix: 3, tcp: 16, ws: 6, tls: 48, wss: 48, pipe: 80, port: 80 } as const;

describe('a program survives any process that lies to it', () => {
  it.each([...SOCKETS, 'pipe', 'port'] as const)('over %s: each call settles, and calls of others are undisturbed', async (transport) => {
    expect(await findingsOf(await stage.get(), { part: 'table', direction: 'host', transport, nth: NTH[transport] })).toEqual([]);
  }, LONG);
});
