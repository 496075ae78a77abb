// What happens when several things are asked for at once, or at an awkward moment.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from 'mimas/testing';
import { addPattern, alive, failure, HEALTH, kill, nodeServer, ownPorts, start, startOver, temporaryFolder, until } from './helpers.js';

const NEVER_WELL = { health: 'healthcheck: {type: exec, command: ["false"]}\n' };
const SLOW_TO_END = '#!/bin/sh\ntrap "echo bye; while [ ! -f go ]; do sleep 0.02; done; exit 0" TERM\necho ready\nwhile :; do sleep 0.02; done\n';

describe('ports', () => {
  it('a process that waits for its restart has none: terminating it takes nothing from those who have them now', async () => {
    const clock = new FakeClock(1_000_000);
    const from = ownPorts();
    const { launcher } = await start({ p: {} }, { clock, backOffPeriod: '5s', portRange: { from, to: from + 9 } });
    const launch = async (namespace: string) => {
      const launching = launcher.launch({ pattern: 'p', namespace });
      await until(() => launcher.status(`ns:${namespace}:p`)?.pid !== undefined);
      await clock.advance(100);
      return launching;
    };
    const a = await launch('a');
    kill(a.pid);
    await until(() => launcher.status('ns:a:p')?.state === 'STARTING' && launcher.status('ns:a:p')?.pid === undefined);
    const b = await launch('b');
    expect([b.grpcPort, b.healthPort]).toEqual([a.grpcPort, a.healthPort]);
    await launcher.terminate('ns:a:p');
    const c = await launch('c');
    expect(new Set([b.grpcPort, b.healthPort, c.grpcPort, c.healthPort]).size).toBe(4);
  });
});

describe('a launch and a termination at once', () => {
  it('a launch that a termination calls off says so, and what called it off', async () => {
    const { launcher } = await start({ p: NEVER_WELL });
    const launching = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    await until(() => launcher.status('ns:x:p')?.pid !== undefined);
    await launcher.terminate('ns:x:p');
    const error = await launching;
    expect([error.code, error.message]).toEqual(['LAUNCH_CANCELLED', 'process ns:x:p was terminated before it was up']);
    expect(launcher.list()).toEqual([]);
  });

  it('a launch that the shutdown calls off says that', async () => {
    const { launcher } = await start({ p: NEVER_WELL });
    const launching = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    await until(() => launcher.status('ns:x:p')?.pid !== undefined);
    await launcher.shutdown({ timeout: 100 });
    expect((await launching).code).toBe('SHUTTING_DOWN');
  });

  it('an exec check that hangs is ended along with its process', async () => {
    const { launcher, dir } = await start({ p: { health: 'healthcheck: {type: exec, command: [sh, -c, "echo $$ > probe; exec sleep 60"], timeout: 60s}\n' } });
    const launching = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    const probe = () => Number(readFileSync(join(dir, 'p/probe'), { encoding: 'utf8', flag: 'a+' }));
    await until(() => probe() > 0);
    await launcher.terminate('ns:x:p');
    expect(alive(probe())).toBe(false);
    await launching;
  });

  it('a Mimas process that hangs in its start is ended at once, not when its start is over', async () => {
    const dir = temporaryFolder();
    const folder = addPattern(dir, 'm', { manifest: 'name: m\nversion: 1.0.0\nprocess: ./hangs.process.mjs\n' });
    writeFileSync(join(folder, 'hangs.process.mjs'), `import { Process } from '${join(import.meta.dirname, '../../dist/index.js')}';
export default class Hangs { async init() { console.log('pid ' + process.pid); setInterval(() => {}, 1000); await new Promise(() => {}); } }
Process({ name: 'hangs', version: '1.0.0' })(Hangs);
`);
    const { launcher, output } = await startOver(dir);
    const launching = failure(launcher.launch({ pattern: 'm', namespace: 'x' }));
    await until(() => output.length > 0);
    const pid = Number(/^ns:x:m\| pid (\d+)$/.exec(output[0]!)![1]);
    const asked = performance.now();
    await launcher.terminate('ns:x:m', { gracePeriod: 100 });
    expect(performance.now() - asked).toBeLessThan(3000);
    expect((await launching).code).toBe('LAUNCH_CANCELLED');
    expect(alive(pid)).toBe(false);
  });

  it('a process that still ends is no orphan, although another of its id has been asked for', async () => {
    const { launcher, dir, output } = await start({ p: { script: SLOW_TO_END } });
    const first = await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.includes('ns:x:p| ready'));
    const stopping = launcher.terminate('ns:x:p', { gracePeriod: '60s' });
    const second = launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.includes('ns:x:p| bye'));
    expect(await launcher.sweepOrphans()).toBe(0);
    expect(alive(first.pid)).toBe(true);
    writeFileSync(join(dir, 'p/go'), '');
    await stopping;
    expect((await second).pid).not.toBe(first.pid);
  });

  it('what is found ill while it is terminated does not take its successor down', async () => {
    const well = nodeServer({ before: 'process.on("SIGTERM", () => {});', status: "require('node:fs').existsSync('ill') ? 500 : 200" });
    const { launcher, dir } = await start({ p: { script: well, health: HEALTH } });
    for (let round = 0; round < 5; round++) {
      rmSync(join(dir, 'p/ill'), { force: true });
      await launcher.launch({ pattern: 'p', namespace: 'x' });
      writeFileSync(join(dir, 'p/ill'), '');
      // It is being ended for its illness, and ignores SIGTERM for a second.
      await until(() => launcher.status('ns:x:p')?.state === 'STARTING');
      rmSync(join(dir, 'p/ill'));
      const stopping = launcher.terminate('ns:x:p', { gracePeriod: 50 });
      const again = await launcher.launch({ pattern: 'p', namespace: 'x' });
      await stopping;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(launcher.status('ns:x:p')).toMatchObject({ pid: again.pid, state: 'RUNNING', restartCount: 0 });
      expect(alive(again.pid)).toBe(true);
    }
  });
});

describe('a launch and a failure at once', () => {
  it('whoever is told of a failed start may ask again at once, and that is a start of its own', async () => {
    const { launcher, dir } = await start({ p: { script: '#!/bin/sh\necho x >> starts\n[ -f well ] || exit 3\nexec sleep 60\n' } });
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'x' }))).code).toBe('PROCESS_CRASHED');
    expect(launcher.list()).toEqual([]);
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'x' }))).code).toBe('PROCESS_CRASHED');
    writeFileSync(join(dir, 'p/well'), '');
    expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).state).toBe('RUNNING');
    expect(readFileSync(join(dir, 'p/starts'), 'utf8')).toBe('x\nx\nx\n');
  });

  it('20 at once are told of one failed start', async () => {
    const { launcher, dir } = await start({ p: { script: '#!/bin/sh\necho x >> starts\nexit 3\n' } });
    const errors = await Promise.all(Array.from({ length: 20 }, () => failure(launcher.launch({ pattern: 'p', namespace: 'x' }))));
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['PROCESS_CRASHED']));
    expect(readFileSync(join(dir, 'p/starts'), 'utf8')).toBe('x\n');
  });

  it('a launch during the wait for a restart gets the restarted process', async () => {
    const { launcher } = await start({ p: { script: nodeServer(), health: HEALTH } }, { backOffPeriod: 300 });
    const before = await launcher.launch({ pattern: 'p', namespace: 'x' });
    kill(before.pid);
    await until(() => launcher.status('ns:x:p')?.state === 'STARTING');
    const infos = await Promise.all([1, 2, 3].map(() => launcher.launch({ pattern: 'p', namespace: 'x' })));
    expect(new Set(infos.map(({ pid }) => pid)).size).toBe(1);
    expect(infos[0]).toMatchObject({ restartCount: 1, state: 'RUNNING' });
    expect(infos[0]!.pid).not.toBe(before.pid);
  });
});
