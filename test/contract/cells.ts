// The cells of isolation × transport, and a pair of contract processes in one of them.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import { createProcessManager, type Isolation, type ProcessManager, type Remote, type SpawnOptions } from 'mimas';
import type Contract from '../fixtures/processes/contract.process.js';

export type Proxy = Remote<Contract>;
/** Bun refuses WebSockets, and its stacks do not show who waits for a call: its engine has no stacks of `await`. */
export const onBun = process.versions['bun'] !== undefined;
export type Transport = 'ipc' | 'unix' | 'tcp' | 'ws';
export const TRANSPORTS: readonly Transport[] = onBun ? ['ipc', 'unix', 'tcp'] : ['ipc', 'unix', 'tcp', 'ws'];
export const FILE = new URL('../fixtures/processes/contract.process.ts', import.meta.url);

interface Session {
  readonly pending: number;
  readonly exports: { readonly size: number };
  readonly live: { readonly size: number };
  readonly dispatcher: { readonly active: number };
  close(): void;
}
interface Internals { readonly client: { readonly session: Session; readonly inFlight: number; readonly queued: number } }

export const internalsOf = (proxy: { readonly $handle: unknown }) => (proxy.$handle as Internals).client;

/** Everything that calls leave behind on this side. */
export function leftovers(proxy: { readonly $handle: unknown }) {
  const { session, inFlight, queued } = internalsOf(proxy);
  return { pending: session.pending, lent: session.exports.size, live: session.live.size, serving: session.dispatcher.active, inFlight, queued };
}
export const NOTHING = { pending: 0, lent: 0, live: 0, serving: 0, inFlight: 0, queued: 0 };

/** Two processes of one cell for the tests of a `describe`; afterwards nothing may be left of their calls. */
export function useCell(isolation: Isolation, transport: Transport, options: SpawnOptions = {}) {
  const cell = {} as { pm: ProcessManager; calc: Proxy; other: Proxy };
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(error);
  beforeAll(async () => {
    process.on('unhandledRejection', onUnhandled);
    cell.pm = createProcessManager({ name: 'suite', isolation, transport });
    [cell.calc, cell.other] = await Promise.all([cell.pm.spawn<Contract>(FILE, { name: 'calc', maxFrame: '32MB', ...options }), cell.pm.spawn<Contract>(FILE, { name: 'other', ...options })]);
  });
  afterAll(async () => {
    try {
      for (const proxy of [cell.calc, cell.other]) {
        let left = leftovers(proxy);
        // Proxies and functions in results live until the other side has collected them.
        for (let round = 0; round < 50 && !isDeepStrictEqual(left, NOTHING); round++) {
          await proxy.collect();
          left = leftovers(proxy);
        }
        expect(left).toEqual(NOTHING);
      }
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', onUnhandled);
      await cell.pm.shutdown({ timeout: 2_000 });
    }
  });
  return cell;
}
