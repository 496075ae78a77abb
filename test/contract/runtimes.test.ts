// What every place where code can live promises: a link, one exit that never rejects, output, two ways to end, and nothing left.
import { afterEach, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { Session } from '#mimas/rpc/session.js';
import { launchChild } from '#mimas/runtime/child.js';
import { launchInline } from '#mimas/runtime/inline.js';
import type { StartOrder } from '#mimas/runtime/protocol.js';
import type { Incarnation, Launch, LaunchOptions } from '#mimas/runtime/runtime.js';
import { callControl } from '#mimas/runtime/start.js';
import { launchThread } from '#mimas/runtime/thread.js';
import { alive, fixture, temporaryFile, linesOf } from '../manager/helpers.js';

const runtimes: [name: string, launch: Launch, isolated: boolean][] = [
  ['inline', launchInline, false],
  ['thread', launchThread, true],
  ['child', launchChild, true],
];

const launched: Incarnation[] = [];
afterEach(async () => {
  for (const incarnation of launched.splice(0)) {
    incarnation.kill();
    await incarnation.gone();
  }
});

async function launch(runtime: Launch, options: Partial<LaunchOptions> = {}) {
  const printed: string[] = [];
  const incarnation = await runtime({ name: 'contract', inheritOutput: false, onLine: (line, stream) => void printed.push(`${stream}: ${line}`), ...options });
  launched.push(incarnation);
  let times = 0;
  let ended!: () => void;
  const closed = new Promise<void>((resolve) => (ended = resolve));
  const onClosed = () => {
    times++;
    ended();
  };
  const session = new Session({ link: incarnation.link, self: 'main', peer: 'process', onHello: () => {}, onClosed });
  return { incarnation, session, printed, closed, times: () => times };
}

const order = (file: string, dependencies?: unknown): StartOrder => ({
  id: 'contract-1', name: undefined, version: undefined, file: fileURLToPath(fixture(file)), dependencies, generation: 0, transport: 'ipc', address: undefined, token: '', tls: undefined, maxFrame: undefined, latency: undefined, owner: 'main',
});

describe.each(runtimes)('the runtime %s', (name, runtime, isolated) => {
  it('starts a process, tells each phase, and says who it is', async () => {
    const { incarnation, session } = await launch(runtime);
    const phases: string[] = [];
    const started = await callControl(session, 'start', order('subject.js'), (phase) => void phases.push(phase));
    expect(started).toMatchObject({ name: 'subject', version: '2.3.4', pid: incarnation.pid, address: undefined });
    if (name === 'thread') expect(started.threadId).toBe(incarnation.threadId);
    expect(phases).toEqual(['construct', 'init', 'ready']);
    expect(await callControl(session, 'health', 100)).toMatchObject({ status: 'healthy', checks: [] });
    const usage = await callControl(session, 'usage');
    expect(usage.memory).toBeGreaterThan(0);
    expect(usage.cpu).toBeGreaterThan(0);
  });

  it('stops when its owner hangs up after the order to stop, and exits with code 0', async () => {
    const { incarnation, session } = await launch(runtime);
    const log = temporaryFile();
    await callControl(session, 'start', order('hooked.js', { log }), () => {});
    expect(await callControl(session, 'stop', { reason: 'test', signal: undefined, drain: 100, hooks: 1000 })).toEqual({ failed: [] });
    session.close();
    expect(await incarnation.exited).toMatchObject({ code: 0, signal: null, outOfMemory: false });
    await incarnation.gone();
    expect(linesOf(log)).toEqual(['first {"reason":"test"}', 'second {"reason":"test"}']);
  });

  it('is ended by kill, once, whatever it does; the link ends, too', async () => {
    const { incarnation, closed, times } = await launch(runtime);
    incarnation.kill();
    incarnation.kill();
    const exit = await incarnation.exited;
    expect(exit).toBe(await incarnation.exited);
    await incarnation.gone();
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    expect(times()).toBe(1);
    if (name === 'child') expect(alive(incarnation.pid!)).toBe(false);
  });

  it.runIf(isolated)('is ended by kill while its loop is blocked', async () => {
    const { incarnation, session } = await launch(runtime);
    callControl(session, 'start', order('broken/blocks.js'), () => {}).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    incarnation.kill();
    await incarnation.gone();
    expect((await incarnation.exited).error).toBeUndefined();
  });

  it.runIf(isolated)('tells the code it exited with, and what it printed, line by line', async () => {
    const { incarnation, session, printed } = await launch(runtime);
    callControl(session, 'start', order('broken/exits-in-load.js'), () => {}).catch(() => {});
    expect(await incarnation.exited).toMatchObject({ code: 3, signal: null });
    await incarnation.outputEnded(1000);
    expect(printed).toEqual(['stderr: leaving']);
    expect(incarnation.stderrTail()).toBe('leaving');
    expect(incarnation.lines()).toEqual(['leaving']);
  });

  it('ends politely where there is a polite way, and says where there is none', async () => {
    const { incarnation, session } = await launch(runtime);
    await callControl(session, 'start', order('subject.js'), () => {});
    expect(incarnation.terminate()).toBe(name === 'child');
    if (name === 'child') expect(await incarnation.exited).toMatchObject({ code: 0, signal: null });
  });
});
