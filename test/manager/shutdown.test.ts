// The way down: running calls are let finish, hooks run, force comes last and reaches everything, and nothing is left.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ProcessStoppedError, createProcessManager, type Remote } from 'mimas';
import { temporaryFolder } from '../helpers/temporary.js';
import { alive, children, fixture, gone, isolated, isolations, linesOf, manager, next, reaches, rejection, subjectFile, temporaryFile, transports, type Subject } from './helpers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const hookedFile = fixture('hooked.js');

interface Hooked {
  add(a: number, b: number): number;
  sleep(ms: number): Promise<number>;
  work(ms: number): Promise<number>;
  count(n: number, pause: number): AsyncGenerator<number>;
}

/** Collects the warnings that `body` causes. */
async function warnings(body: () => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const listener = (warning: Error) => void heard.push(warning.message);
  process.on('warning', listener);
  await body();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listener);
  return heard;
}

describe.each(isolations)('shutdown in isolation %s', (isolation) => {
  const start = async (options: { first?: string } = {}) => {
    const pm = manager({ isolation, gracePeriod: '5s' });
    const log = temporaryFile();
    const hooked = await pm.spawn<Hooked>(hookedFile, { dependencies: { log, ...options } });
    return { pm, log, hooked };
  };

  it('lets running calls and streams finish, then runs the hooks in order, with the reason', async () => {
    const { pm, log, hooked } = await start();
    const running = hooked.work(80);
    const stream: number[] = [];
    const streaming = (async () => {
      for await (const item of hooked.count(3, 30)) stream.push(item);
    })();
    await hooked.add(1, 2);
    await pm.shutdown();
    expect(await running).toBe(80);
    await streaming;
    expect(stream).toEqual([1, 2, 3]);
    expect(linesOf(log).slice(0, 2).sort()).toEqual(['streamed', 'worked']);
    expect(linesOf(log).slice(2)).toEqual(['first {"reason":"shutdown"}', 'second {"reason":"shutdown"}']);
    expect(hooked.$handle.status).toBe('stopped');
    expect(children()).toEqual([]);
  });

  it('tells hooks the reason that stop was given', async () => {
    const { pm, log, hooked } = await start();
    const stop = next<{ reason: string }>((listener) => hooked.$handle.on('stop', listener));
    await pm.stop(hooked, { reason: 'new version' });
    expect(linesOf(log)).toEqual(['first {"reason":"new version"}', 'second {"reason":"new version"}']);
    expect((await stop).reason).toBe('new version');
    expect(pm.getProcess(hooked)).toMatchObject({ status: 'stopped', pid: undefined });
  });

  it('refuses calls from the moment it begins, and after it', async () => {
    const { pm, hooked } = await start();
    const running = hooked.work(50);
    await hooked.add(1, 2);
    const stopping = pm.stop(hooked);
    await reaches(hooked as unknown as Remote<Subject>, 'stopping');
    const during = await rejection(hooked.add(1, 2));
    expect(during).toBeInstanceOf(ProcessStoppedError);
    expect(during.message).toMatch(/the process is stopping/);
    await stopping;
    expect(await running).toBe(50);
    const after = await rejection(hooked.add(1, 2));
    expect(after).toBeInstanceOf(ProcessStoppedError);
    expect(after.message).toMatch(/the process is stopped/);
  });

  it('a hook that throws is reported and does not keep the next one from running', async () => {
    const { pm, log } = await start({ first: 'throws' });
    const heard = await warnings(() => pm.shutdown());
    expect(heard).toEqual(['shutdown hook of hooked: first: hook failed']);
    expect(linesOf(log)).toHaveLength(2);
  });

  it('a hook that hangs is bounded by the deadline and reported', async () => {
    const { pm, log, hooked } = await start({ first: 'hangs' });
    const heard = await warnings(() => pm.shutdown({ timeout: 1000 }));
    expect(heard.join()).toMatch(/shutdown hook of hooked: first: not done within \d+ ms/);
    expect(linesOf(log)[0]).toMatch(/^first/);
    expect(hooked.$handle.status).toBe('stopped');
    expect(children()).toEqual([]);
  });

  it('cuts a call that never ends when its share of the time is used up', async () => {
    const { pm, log, hooked } = await start();
    const endless = rejection(hooked.sleep(1e6));
    await hooked.add(1, 2);
    await pm.shutdown({ timeout: 300 });
    expect(await endless).toBeInstanceOf(ProcessStoppedError);
    expect(linesOf(log)).toHaveLength(2);
  });

  it('may be asked for twice, refuses spawn afterwards, and answers facts still', async () => {
    const { pm, hooked } = await start();
    const [first, second] = [pm.shutdown(), pm.shutdown({ timeout: 1 })];
    expect(second).toBe(first);
    await first;
    await pm.shutdown();
    expect(await rejection(pm.spawn(hookedFile))).toBeInstanceOf(ProcessStoppedError);
    expect(pm.getProcess(hooked)!.status).toBe('stopped');
    expect((await pm.getHealth(hooked)).status).toBe('unhealthy');
    expect((await pm.getMetrics(hooked)).requests).toBe(0);
    expect(await rejection(hooked.$handle.restart())).toBeInstanceOf(ProcessStoppedError);
    expect(await rejection(hooked.add(1, 2))).toBeInstanceOf(ProcessStoppedError);
  });

  it('`await using` shuts down at the end of the block', async () => {
    const log = temporaryFile();
    {
      await using pm = createProcessManager({ isolation });
      await pm.spawn<Hooked>(hookedFile, { dependencies: { log } });
    }
    expect(linesOf(log)).toHaveLength(2);
  });

  it('a spawn that is under way ends with it', async () => {
    const pm = manager({ isolation });
    const spawning = rejection(pm.spawn(fixture('broken/never-ready.js')));
    await next<unknown>((listener) => (pm.on('status', listener), setImmediate(listener, undefined), () => {}));
    await pm.shutdown({ timeout: 500 });
    expect(await spawning).toBeInstanceOf(ProcessStoppedError);
    expect(children()).toEqual([]);
  });

  it('kill ends it at once, without hooks, and what was in flight is told', async () => {
    const { pm, log, hooked } = await start();
    const endless = rejection(hooked.sleep(1e6));
    await hooked.add(1, 2);
    await pm.kill(hooked);
    expect(await endless).toBeInstanceOf(ProcessStoppedError);
    expect(await rejection(hooked.add(1, 2))).toBeInstanceOf(ProcessStoppedError);
    expect(linesOf(log)).toEqual([]);
    expect(hooked.$handle).toMatchObject({ status: 'stopped', restarts: 0 });
    expect(children()).toEqual([]);
  });

  it('a kill of one that is stopping cuts the stop short', async () => {
    const { pm, hooked } = await start({ first: 'hangs' });
    const stopping = pm.stop(hooked, { timeout: '1m' });
    await reaches(hooked as unknown as Remote<Subject>, 'stopping');
    await pm.kill(hooked);
    await stopping;
    expect(hooked.$handle.status).toBe('stopped');
  });

  it('survives rapid kills and spawns, one after the other and at once', async () => {
    const pm = manager({ isolation });
    const cycle = async () => {
      const subject = await pm.spawn<Subject>(subjectFile);
      expect(await subject.count()).toBe(1);
      await pm.kill(subject);
    };
    for (let i = 0; i < 3; i++) await cycle();
    await Promise.all(Array.from({ length: 4 }, cycle));
    expect(pm.listProcesses().map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'stopped'));
    expect(children()).toEqual([]);
  });

  it('an explicit restart runs the hooks and gives the next incarnation to the same proxy, calls made meanwhile included', async () => {
    const { log, hooked } = await start();
    const restarting = hooked.$handle.restart();
    const meanwhile = hooked.add(1, 2);
    await restarting;
    expect(await meanwhile).toBe(3);
    expect(linesOf(log)).toEqual(['first {"reason":"restart"}', 'second {"reason":"restart"}']);
    expect(hooked.$handle).toMatchObject({ status: 'running', restarts: 1 });
  });
});

describe.each(isolations)('a restart in isolation %s', (isolation) => {
  it('that is asked for several times at once is one', async () => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    await Promise.all([subject.$handle.restart(), subject.$handle.restart(), subject.$handle.restart()]);
    expect(subject.$handle).toMatchObject({ status: 'running', restarts: 1 });
    expect(await subject.count()).toBe(1);
  });

  it.each(['stop', 'kill'] as const)('that a %s overtakes rejects, and no call waits for it', async (how) => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    const restarting = rejection(subject.$handle.restart());
    const waiting = rejection(subject.add(1, 2));
    await subject.$handle[how]();
    expect(await restarting).toBeInstanceOf(ProcessStoppedError);
    expect(await waiting).toBeInstanceOf(ProcessStoppedError);
    expect(await rejection(subject.add(1, 2))).toBeInstanceOf(ProcessStoppedError);
    expect(subject.$handle.status).toBe('stopped');
    await subject.$handle.restart();
    expect(await subject.add(1, 2)).toBe(3);
  });

  it('brings back one that was stopped or killed', async () => {
    const subject = await manager({ isolation }).spawn<Subject>(subjectFile);
    await subject.$handle.stop();
    await subject.$handle.restart();
    expect(await subject.count()).toBe(1);
    await subject.$handle.kill();
    await subject.$handle.restart();
    expect(await subject.count()).toBe(1);
  });
});

describe('a child', () => {
  it('that is killed with a signal runs its hooks, which are told the signal', async () => {
    const pm = manager({ isolation: 'child' });
    const log = temporaryFile();
    const hooked = await pm.spawn<Hooked>(hookedFile, { dependencies: { log } });
    await pm.kill(hooked, 'SIGTERM');
    expect(linesOf(log)).toEqual(['first {"reason":"signal","signal":"SIGTERM"}', 'second {"reason":"signal","signal":"SIGTERM"}']);
    expect(hooked.$handle.status).toBe('stopped');
  });

  it('that ignores everything is killed in the end, with all that it started', async () => {
    const pm = manager({ isolation: 'child' });
    const subject = await pm.spawn<Subject>(subjectFile);
    const pids = [subject.$handle.pid!, await subject.grandchild()];
    await subject.ignoreSignals();
    const spinning = rejection(subject.spin());
    await new Promise((resolve) => setImmediate(resolve));
    expect(pids.filter(alive)).toEqual(pids);
    await pm.shutdown({ timeout: 400 });
    expect(pids.filter(alive)).toEqual([]);
    expect(await spinning).toBeInstanceOf(ProcessStoppedError);
  });

  it('that stops well takes what it started with it', async () => {
    const pm = manager({ isolation: 'child' });
    const subject = await pm.spawn<Subject>(subjectFile);
    const grandchild = await subject.grandchild();
    await pm.stop(subject);
    await gone([grandchild], 200);
  });

  it('that dies leaves nothing of its group behind before the next one starts', async () => {
    const subject = await manager({ isolation: 'child' }).spawn<Subject>(subjectFile);
    const grandchild = await subject.grandchild();
    await rejection(subject.exit(1));
    await subject.add(1, 2);
    expect(alive(grandchild)).toBe(false);
  });

  it.each(isolated)('or worker (%s) whose hook blocks its loop is killed', async (isolation) => {
    const pm = manager({ isolation });
    const log = temporaryFile();
    const hooked = await pm.spawn<Hooked>(hookedFile, { dependencies: { log, first: 'blocks' } });
    await pm.shutdown({ timeout: 400 });
    expect(linesOf(log)).toEqual(['first {"reason":"shutdown"}']);
    expect(hooked.$handle.status).toBe('stopped');
  });
});

/** Runs a program that uses mimas; resolves with how long it lived after it said `done`. */
async function program(source: string, temporary: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: temporary } });
  let output = '';
  let done = 0;
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
    if (done === 0 && output.includes('done')) done = performance.now();
  });
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const [code] = await once(child, 'exit');
  return { code: code as number, output, lingered: performance.now() - done };
}

describe.each(isolations)('after shutdown a program with processes in isolation %s', (isolation) => {
  it('exits by itself within a second, and leaves no file, folder or process behind', async () => {
    const temporary = temporaryFolder('mimas-test-');
    const source = `import { createProcessManager } from 'mimas';
      const pm = createProcessManager({ isolation: '${isolation}', monitoring: { healthCheck: true } });
      const file = ${JSON.stringify(fileURLToPath(subjectFile))};
      const all = await Promise.all([${transports.map((transport) => `pm.spawn(file, { transport: '${transport}' })`).join(', ')}]);
      for (const subject of all) if ((await subject.$with({ timeout: '1m' }).add(1, 2)) !== 3) throw new Error('wrong');
      ${isolation === 'none' ? '' : 'await all[1].exit(1).catch(() => {}); await all[1].add(1, 2);'}
      await all[2].$handle.health();
      await all[3].$handle.metrics();
      const pids = all.map(({ $handle }) => $handle.pid);
      console.log(JSON.stringify(pids));
      await pm.shutdown();
      console.log('done');`;
    const { code, output, lingered } = await program(source, temporary);
    expect(output).toMatch(/^\[[\d,]+\]\ndone\n$/);
    expect(code).toBe(0);
    expect(lingered).toBeLessThan(1000);
    expect(readdirSync(temporary)).toEqual([]);
    expect((JSON.parse(output.split('\n')[0]!) as number[]).filter(alive)).toEqual([]);
  });
});

describe('a program', () => {
  it('that only makes a manager exits by itself', async () => {
    const { code, output } = await program(`import { createProcessManager } from 'mimas'; createProcessManager(); console.log('done');`, tmpdir());
    expect({ code, output }).toEqual({ code: 0, output: 'done\n' });
  });

  it('whose only spawn failed exits by itself', async () => {
    const source = `import { createProcessManager } from 'mimas';
      const pm = createProcessManager();
      const file = ${JSON.stringify(fileURLToPath(fixture('broken/init-throws.js')))};
      for (const isolation of ['none', 'worker', 'child']) await pm.spawn(file, { isolation, transport: 'unix', output: 'capture' }).catch(() => {});
      console.log('done');`;
    const { code, output, lingered } = await program(source, tmpdir());
    expect(code).toBe(0);
    expect(output).toMatch(/done\n$/);
    expect(lingered).toBeLessThan(1000);
  });

  it('that calls process.exit() leaves no socket folder behind', async () => {
    const temporary = temporaryFolder('mimas-test-');
    const source = `import { createProcessManager } from 'mimas';
      const pm = createProcessManager({ transport: 'unix' });
      await pm.spawn(${JSON.stringify(fileURLToPath(subjectFile))});
      console.log('done');
      process.exit(0);`;
    expect((await program(source, temporary)).code).toBe(0);
    expect(readdirSync(temporary).filter((name) => existsSync(join(temporary, name)))).toEqual([]);
  });
});

describe('options of a shutdown', () => {
  it.each<[object, RegExp]>([
    [{ timeout: 'soon' }, /timeout: "soon" is not a duration/],
    [{ timout: 5 }, /shutdown: unknown option 'timout'; did you mean 'timeout'/],
  ])('that make no sense, such as %j, are refused, and the next shutdown works', async (options, message) => {
    const pm = createProcessManager();
    const subject = await pm.spawn<Subject>(subjectFile);
    await expect(pm.shutdown(options)).rejects.toThrow(message);
    expect(await subject.add(1, 2)).toBe(3);
    await pm.shutdown();
    expect(await rejection(subject.add(1, 2))).toBeInstanceOf(ProcessStoppedError);
  });

  it('may give all the time there is', async () => {
    const pm = createProcessManager({ gracePeriod: Infinity });
    const subject = await pm.spawn<Subject>(subjectFile, { isolation: 'child' });
    const call = subject.sleep(100);
    await subject.count();
    await pm.shutdown();
    expect(await call).toBe(100);
    expect(children()).toEqual([]);
  });

  it('of one process are refused by name, too', async () => {
    const subject = await manager().spawn<Subject>(subjectFile);
    await expect(subject.$handle.stop({ timout: 5 } as never)).rejects.toThrow(/stop: unknown option 'timout'; did you mean 'timeout'/);
    expect(await subject.add(1, 2)).toBe(3);
  });
});
