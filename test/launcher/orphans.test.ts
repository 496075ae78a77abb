// Launchers that are killed, and those who come after them over the same state folder. The launcher that dies is a program of
// its own; strangers beside it look as much like patterns as they can.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cgroupName, detectCgroups } from '../../dist/runtime/cgroups.js';
import { endOrphan } from '../../dist/launcher/orphans.js';
import { identityOf, isSame } from '../../dist/runtime/identity.js';
import { addPattern, alive, failure, kill, start, startOver, temporaryFolder, until } from './helpers.js';
import { crash, launcherProgram, program, stranger } from './programs.js';

it('21. a new launcher stops what its killed predecessor left, and touches nobody else (OrphanDetection)', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { manifest: 'name: p\nversion: 1.0.0\nexecutable: ./run\nconfig: [SECRET]\nresources: {memory_limit: 64Mi}\n' });
  const { program, info } = await launcherProgram(dir, stateDir, 'adopt');
  const { launch } = JSON.parse(readFileSync(join(stateDir, 'processes', readdirSync(join(stateDir, 'processes'))[0]!), 'utf8')) as { launch: string };
  const group = join(detectCgroups().parents.memory ?? '/no/cgroups', cgroupName(launch));
  expect(existsSync(group)).toBe(detectCgroups().parents.memory !== undefined);
  const foreign = await start({ p: {} });
  const { pid: foreignChild } = await foreign.launcher.launch({ pattern: 'p', namespace: 'x' });
  const lookalike = stranger({ PATTERN_NAME: 'p', NAMESPACE: 'x', PROCESS_ID: info.processId, MIMAS_LAUNCH: 'somebodyelse.1' });
  await crash(program);
  expect(alive(info.pid)).toBe(true);
  const { launcher, logs } = await startOver(dir, { stateDir });
  expect(alive(info.pid)).toBe(false);
  expect(logs).toEqual(['Found 1 orphaned pattern processes, cleaning up...', `Terminated orphaned process: pid=${info.pid}`]);
  expect(existsSync(group)).toBe(false);
  expect([alive(foreignChild), alive(lookalike)]).toEqual([true, true]);
  expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).state).toBe('RUNNING');
});

it('21. leftovers: adopt takes them over: same pid, same port, supervised like its own', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { script: '#!/bin/sh\nwhile :; do echo tick; sleep 0.05; done\n' });
  const { program, info } = await launcherProgram(dir, stateDir, 'adopt');
  await crash(program);
  const { launcher, logs } = await startOver(dir, { stateDir, leftovers: 'adopt' });
  expect(launcher.status('ns:x:p')).toMatchObject({ state: 'RUNNING', pid: info.pid, grpcPort: info.grpcPort });
  expect(logs).toEqual([`Adopted process: pattern=p, pid=${info.pid}`]);
  expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).pid).toBe(info.pid);
  // Its output went on while nobody was there.
  expect(readFileSync(join(stateDir, 'logs/ns%3Ax%3Ap.log'), 'utf8')).toContain('tick');
  kill(info.pid);
  await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
  const { pid } = launcher.status('ns:x:p')!;
  expect(pid).not.toBe(info.pid);
  await launcher.terminate('ns:x:p', { force: true });
  expect(alive(pid)).toBe(false);
});

it('without adoption nothing survives a killed launcher, even if no successor comes', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p');
  const { program, info } = await launcherProgram(dir, stateDir, 'stop');
  await crash(program);
  await until(() => !alive(info.pid), 'the guardian has ended it');
});

it('a record whose pid is another process by now is never acted upon', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p');
  const { program } = await launcherProgram(dir, stateDir, 'adopt');
  await crash(program);
  const innocent = stranger();
  const folder = join(stateDir, 'processes');
  const file = join(folder, readdirSync(folder)[0]!);
  const record = JSON.parse(readFileSync(file, 'utf8')) as { pid: number };
  const leftover = record.pid;
  // As if the pid had been given to somebody else, and pids that mean everybody.
  writeFileSync(file, JSON.stringify({ ...record, pid: innocent }));
  for (const pid of [1, 0, -1]) writeFileSync(join(folder, `bad${pid}.json`), JSON.stringify({ ...record, launch: `bad.${pid}`, pid }));
  writeFileSync(join(folder, 'garbage.json'), '{');
  const { logs } = await startOver(dir, { stateDir });
  expect(alive(innocent)).toBe(true);
  // The real one is still known by its mark.
  expect(logs).toContain(`Terminated orphaned process: pid=${leftover}`);
  expect(alive(leftover)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

it('a state folder has one living launcher, and keeps its records to itself', async () => {
  const stateDir = temporaryFolder();
  const { launcher, dir } = await start({ p: {} }, { stateDir });
  await launcher.launch({ pattern: 'p', namespace: 'x' });
  const { mode } = statSync(join(stateDir, 'processes', readdirSync(join(stateDir, 'processes'))[0]!));
  expect((mode & 0o777).toString(8)).toBe('600');
  // The lock is of this very process; another program has another pid.
  const { program } = await launcherProgram(dir, temporaryFolder(), 'stop');
  const owner = JSON.parse(readFileSync(join(stateDir, 'launcher.json'), 'utf8')) as object;
  writeFileSync(join(stateDir, 'launcher.json'), JSON.stringify({ ...owner, ...identityOf(program.pid!) }));
  const error = await failure(startOver(dir, { stateDir }));
  expect(error.message).toBe(`state folder ${stateDir} belongs to a running launcher (pid ${program.pid})`);
  await crash(program);
});

it('a grandchild that left the process group is found by its mark and ended, those of living processes are not', async () => {
  const { launcher, output, logs } = await start({ p: { script: `#!/bin/sh\nsetsid sleep 60 &\necho "pid $!"\nexec sleep 60\n` } });
  const { pid } = await launcher.launch({ pattern: 'p', namespace: 'x' });
  await until(() => output.length === 1);
  const escaped = Number(/pid (\d+)/.exec(output[0]!)![1]);
  expect(await launcher.sweepOrphans()).toBe(0);
  kill(pid);
  await until(() => launcher.status('ns:x:p')?.restartCount === 1 && launcher.status('ns:x:p')?.healthy);
  expect(alive(escaped)).toBe(true);
  expect(await launcher.sweepOrphans()).toBe(1);
  expect(alive(escaped)).toBe(false);
  expect(logs).toContain('Found 1 orphaned pattern processes, cleaning up...');
});

it('a pid is the same process only with the same start time in the same boot', async () => {
  const pid = stranger();
  const identity = identityOf(pid);
  expect(isSame(identity)).toBe(true);
  for (const other of [{ ...identity, startTicks: '1' }, { ...identity, boot: 'x' }, { ...identity, startTicks: '' }, { ...identity, pid: 1 }, { ...identity, pid: -pid }]) {
    expect(isSame(other)).toBe(false);
    expect(await endOrphan(other, 0)).toBe(false);
  }
  expect(alive(pid)).toBe(true);
});

/** Ends at SIGTERM, and leaves behind somebody of its group who does not. */
const LEAVES_A_DEAF_ONE = '#!/bin/sh\n(trap "" TERM; echo deaf > deaf-is-ready; while :; do sleep 0.05; done) &\necho $! > deaf\nexec sleep 60\n';

async function deafPid(dir: string): Promise<number> {
  await until(() => existsSync(join(dir, 'p/deaf-is-ready')));
  return Number(readFileSync(join(dir, 'p/deaf'), 'utf8'));
}

it('of what a predecessor left nobody of the process group survives, also when its leader goes first', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { script: LEAVES_A_DEAF_ONE });
  const { program: launcher, info } = await launcherProgram(dir, stateDir, 'adopt');
  const deaf = await deafPid(dir);
  await crash(launcher);
  expect([alive(info.pid), alive(deaf)]).toEqual([true, true]);
  await startOver(dir, { stateDir });
  expect([alive(info.pid), alive(deaf)]).toEqual([false, false]);
});

it('whom a leader that died while no launcher was there left behind is ended by its mark', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { script: LEAVES_A_DEAF_ONE });
  const { program: launcher, info } = await launcherProgram(dir, stateDir, 'adopt');
  const deaf = await deafPid(dir);
  await crash(launcher);
  kill(info.pid);
  await startOver(dir, { stateDir, leftovers: 'adopt' });
  expect(alive(deaf)).toBe(false);
  expect(readdirSync(join(stateDir, 'processes'))).toEqual([]);
});

it('an adopted process is ended with its whole group, and so is whom it leaves when it dies; its last words are told', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { script: `${LEAVES_A_DEAF_ONE.replace('exec sleep 60', 'while [ ! -f go ]; do sleep 0.05; done; rm go; echo "last words"; exit 1')}` });
  const { program: launcher } = await launcherProgram(dir, stateDir, 'adopt');
  const deaf = await deafPid(dir);
  await crash(launcher);
  const { launcher: second } = await startOver(dir, { stateDir, leftovers: 'adopt' });
  writeFileSync(join(dir, 'p/go'), '');
  await until(() => second.status('ns:x:p')?.restartCount === 1 && second.status('ns:x:p')?.healthy);
  expect(alive(deaf)).toBe(false);
  expect(second.status('ns:x:p')?.lastError).toContain('last words');
});

it('adopted twice: a launcher that took over and was killed has a successor, too', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p');
  const first = await launcherProgram(dir, stateDir, 'adopt');
  await crash(first.program);
  const second = await launcherProgram(dir, stateDir, 'adopt');
  expect(second.info.pid).toBe(first.info.pid);
  await crash(second.program);
  const { launcher } = await startOver(dir, { stateDir, leftovers: 'adopt' });
  expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).pid).toBe(first.info.pid);
  await launcher.terminate('ns:x:p');
  expect(alive(first.info.pid)).toBe(false);
});

it('of several launchers that come at once over what a killed one left, exactly one gets the folder', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p');
  for (let round = 0; round < 2; round++) {
    const programs = await Promise.all(Array.from({ length: 4 }, () => program<string>(`
      const told = await createLauncher({ patternsDir: ${JSON.stringify(dir)}, stateDir: ${JSON.stringify(stateDir)}, log() {} }).then(() => 'mine', (error) => error.message);
      console.log(JSON.stringify(told));
      setInterval(() => {}, 1000);`)));
    const told = programs.map((one) => one.told).toSorted();
    expect(told.filter((one) => one === 'mine')).toHaveLength(1);
    const winner = programs.find((one) => one.told === 'mine')!.child;
    expect(new Set(told)).toEqual(new Set(['mine', `state folder ${stateDir} belongs to a running launcher (pid ${winner.pid})`]));
    await Promise.all(programs.map(({ child }) => crash(child)));
  }
  // What the killed ones wrote on their way in is gone.
  expect(readdirSync(stateDir).toSorted()).toEqual(['launcher.json', 'logs', 'processes']);
});

it('a state folder that cannot be one is told by name', async () => {
  const dir = temporaryFolder();
  addPattern(dir, 'p');
  const error = await failure(startOver(dir, { stateDir: join(dir, 'p/run') }));
  expect([error.code, error.message]).toEqual(['INVALID_CONFIGURATION', expect.stringContaining(`state folder ${join(dir, 'p/run')} cannot be used: `)]);
});

it.skipIf(detectCgroups().parents.memory === undefined)('limits of starts that are over leave no groups: of a dead record, and of one whose grandchild got away', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  const manifest = 'name: p\nversion: 1.0.0\nexecutable: ./run\nconfig: [SECRET]\nresources: {memory_limit: 64Mi}\n';
  addPattern(dir, 'p', { manifest, script: '#!/bin/sh\nsetsid sleep 60 &\necho $! > escaped\nexec sleep 60\n' });
  const folder = () => readdirSync(join(stateDir, 'processes')).map((name) => (JSON.parse(readFileSync(join(stateDir, 'processes', name), 'utf8')) as { launch: string }).launch).map((launch) => join(detectCgroups().parents.memory!, cgroupName(launch)))[0]!;
  mkdirSync(join(stateDir, 'processes'), { recursive: true, mode: 0o700 });
  const { program: first, info } = await launcherProgram(dir, stateDir, 'adopt');
  const dead = folder();
  // As if it had been killed before it had recorded a start.
  const unrecorded = dead.replace(/\d+$/, '99');
  mkdirSync(unrecorded);
  await crash(first);
  kill(info.pid);
  const { launcher } = await startOver(dir, { stateDir });
  expect([existsSync(dead), existsSync(unrecorded)]).toEqual([false, false]);
  await launcher.launch({ pattern: 'p', namespace: 'x' });
  const busy = folder();
  await launcher.terminate('ns:x:p', { force: true });
  expect(existsSync(busy)).toBe(true);
  expect(await launcher.sweepOrphans()).toBe(1);
  expect(existsSync(busy)).toBe(false);
});

it('who got away from a process that was adopted is swept by the adopter, and by its successor', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { script: '#!/bin/sh\nsetsid sleep 60 &\necho $! >> escaped\nexec sleep 60\n' });
  const escaped = () => readFileSync(join(dir, 'p/escaped'), 'utf8').trim().split('\n').map(Number);
  const { program: first } = await launcherProgram(dir, stateDir, 'adopt');
  await crash(first);
  const { child: second } = await program<number>(`
    const launcher = await createLauncher({ patternsDir: ${JSON.stringify(dir)}, stateDir: ${JSON.stringify(stateDir)}, leftovers: 'adopt', log() {} });
    await launcher.terminate('ns:x:p', { force: true });
    const left = JSON.stringify(launcher.list().length);
    await launcher.launch({ pattern: 'p', namespace: 'y' });
    console.log(left);
    setInterval(() => {}, 1000);`);
  await until(() => escaped().length === 2);
  await crash(second);
  await startOver(dir, { stateDir });
  expect(escaped().map(alive)).toEqual([false, false]);
});
