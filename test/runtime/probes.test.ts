// Looks at real servers and programs; the judgement and its pace under a fake clock.
import { getEventListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProbeState, resolveProbeOptions, runCheck, type Check, type CheckResult } from '../../src/runtime/probes.js';
import { Prober } from '../../src/runtime/prober.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

describe('runCheck', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/hang') return;
      response.writeHead(request.url === '/ill' ? 503 : request.url === '/moved' ? 302 : 200).end('x');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => void server.closeAllConnections());

  const http = (path: string, more: object = {}): Check => ({ type: 'http', port, path, ...more });
  it.each<[string, () => Check]>([
    ['http', () => http('/')],
    ['tcp', () => ({ type: 'tcp', port })],
    ['tcp where nobody listens', () => ({ type: 'tcp', port: 1 })],
    ['exec', () => ({ type: 'exec', command: 'true' })],
  ])('%s leaves nothing at the signal: it is the same for all looks of a long life', async (_name, check) => {
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await runCheck(check(), 1000, signal);
    // A socket that closes takes its listener along a moment later.
    await vi.waitFor(() => expect(getEventListeners(signal, 'abort')).toEqual([]));
  });

  it.each<[string, () => Check]>([
    ['http', () => http('/hang')],
    ['exec', () => ({ type: 'exec', command: 'sleep', args: ['60'] })],
  ])('%s that is under way ends when it is called off', async (_name, check) => {
    const controller = new AbortController();
    const looked = runCheck(check(), 60_000, controller.signal);
    setImmediate(() => controller.abort());
    expect((await looked).ok).toBe(false);
  });

  it.each<[string, () => Check, boolean, RegExp]>([
    ['http 200', () => http('/'), true, /answered 200/],
    ['http 302', () => http('/moved'), true, /answered 302/],
    ['http 302 where 200 is asked for', () => http('/moved', { status: 200 }), false, /answered 302/],
    ['http 503', () => http('/ill'), false, /answered 503/],
    ['http without an answer', () => http('/hang'), false, /no answer within 200 ms/],
    ['http where nobody listens', () => ({ type: 'http', port: 1, path: '/' }), false, /ECONNREFUSED/],
    ['tcp', () => ({ type: 'tcp', port }), true, /accepts/],
    ['tcp where nobody listens', () => ({ type: 'tcp', port: 1 }), false, /ECONNREFUSED/],
    ['exec with exit code 0', () => ({ type: 'exec', command: 'true' }), true, /ended with 0/],
    ['exec with another exit code', () => ({ type: 'exec', command: 'sh', args: ['-c', 'echo no; exit 4'] }), false, /ended with 4: no/],
    ['exec that hangs', () => ({ type: 'exec', command: 'sleep', args: ['60'] }), false, /did not end within 200 ms/],
    ['exec of nothing', () => ({ type: 'exec', command: '/no/such' }), false, /could not be executed/],
  ])('%s', async (_name, check, ok, message) => {
    const result = await runCheck(check(), message.source.includes('200 ms') ? 200 : 5000);
    expect(result.message).toMatch(message);
    expect(result.ok).toBe(ok);
  });
});

it('ProbeState: failures do not count before it was well once; then thresholds decide both ways', () => {
  const state = new ProbeState({ failureThreshold: 2, successThreshold: 2 });
  const seen = [false, false, false, true, false, true, true, false, true, false, false, true, true].map((ok) => state.observe(ok));
  expect(seen.map((one) => one ?? '-')).toEqual(['-', '-', '-', '-', '-', '-', 'healthy', '-', '-', '-', 'unhealthy', '-', 'healthy']);
});

it.each([{ interval: 0 }, { timeout: 'x' }, { failureThreshold: 0 }, { successThreshold: 1.5 }, { initialDelay: -1 }])('refuses %o by name', (options) => {
  expect(() => resolveProbeOptions(options as never, 'healthcheck')).toThrow(`healthcheck.${Object.keys(options)[0]}`);
});

describe('Prober', () => {
  function setUp(results: boolean[], options: object = {}, check: Check = { type: 'tcp', port: 1 }) {
    const clock = new FakeClock(0);
    const looks: number[] = [];
    const changes: string[] = [];
    const prober = new Prober({
      check,
      clock,
      times: resolveProbeOptions({ interval: 1000, startupInterval: 100, startupTimeout: 5000, ...options }),
      look: async (): Promise<CheckResult> => (looks.push(clock.now()), { ok: results.shift() ?? false, message: 'seen' }),
      onChange: (status) => changes.push(`${clock.now()} ${status}`),
    });
    return { clock, prober, looks, changes };
  }

  it('looks often until it is well, then at its interval, and tells when it falls ill', async () => {
    const { clock, prober, looks, changes } = setUp([false, false, true, true, false, false, false], { initialDelay: 500 });
    const ready = prober.start();
    await clock.advance(700);
    await ready;
    await clock.advance(4000);
    expect(looks).toEqual([500, 600, 700, 1700, 2700, 3700, 4700]);
    expect(changes).toEqual(['700 healthy', '4700 unhealthy']);
    prober.stop();
    expect(clock.pending).toBe(0);
  });

  it('gives up after the startup timeout, with what was seen last', async () => {
    const { clock, prober } = setUp([]);
    const outcome = prober.start().catch((error: Error) => error.message);
    await clock.advance(5000);
    expect(await outcome).toBe('health check timeout after 5s; last: seen');
    expect(clock.pending).toBe(0);
  });

  it('stops with the reason of the signal', async () => {
    const { clock, prober } = setUp([]);
    const controller = new AbortController();
    const outcome = prober.start(controller.signal).catch((error: unknown) => error);
    controller.abort(new Error('enough'));
    expect(await outcome).toEqual(new Error('enough'));
    expect(clock.pending).toBe(0);
  });

  it('a log check is well from the line that matches', async () => {
    const { clock, prober, looks } = setUp([], {}, { type: 'log', pattern: /listening/ });
    const ready = prober.start();
    prober.line('starting');
    expect(prober.status).toBe('starting');
    prober.line('listening on 80');
    await ready;
    expect([prober.status, looks, clock.pending]).toEqual(['healthy', [], 0]);
  });

  it('a log check is well from the start when its line came before', async () => {
    const { clock, prober } = setUp([], {}, { type: 'log', pattern: /listening/ });
    prober.line('listening on 80');
    await prober.start();
    expect([prober.status, clock.pending]).toEqual(['healthy', 0]);
  });
});
