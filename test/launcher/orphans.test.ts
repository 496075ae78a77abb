// Launchers that are killed, and those who come after them over the same state folder. The launcher that dies is a program of
// its own; strangers beside it look as much like patterns as they can.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { cgroupName, detectCgroups } from '../../dist/runtime/cgroups.js';
import { endOrphan } from '../../dist/launcher/orphans.js';
import { identityOf, isSame } from '../../dist/launcher/identity.js';
import { addPattern, alive, failure, kill, start, startOver, temporaryFolder, until } from './helpers.js';

const strangers: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of strangers.splice(0)) if (pid !== undefined && pid > 1 && alive(pid)) kill(pid);
});

function stranger(env: Record<string, string>): number {
  const child = spawn('sleep', ['60'], { env: { ...process.env, ...env }, detached: true, stdio: 'ignore' });
  strangers.push(child);
  return child.pid!;
}

/** A launcher in a program of its own, which launches `p` for `x`; answers its pid and the pattern's. */
async function launcherProgram(dir: string, stateDir: string, leftovers: 'stop' | 'adopt') {
  const code = `
    import { createLauncher } from '${import.meta.resolve('mimas/launcher')}';
    const launcher = await createLauncher({ patternsDir: ${JSON.stringify(dir)}, stateDir: ${JSON.stringify(stateDir)}, leftovers: '${leftovers}', backOffPeriod: 20, log() {} });
    const info = await launcher.launch({ pattern: 'p', namespace: 'x', config: { SECRET: 's3cret' } });
    console.log(JSON.stringify(info));
    setInterval(() => {}, 1000);`;
  const program = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  strangers.push(program);
  const [line] = (await once(program.stdout!, 'data')) as [Buffer];
  const info = JSON.parse(String(line)) as { pid: number; processId: string; grpcPort: number };
  return { program, info };
}

async function crash(program: ChildProcess): Promise<void> {
  const gone = once(program, 'exit');
  kill(program.pid);
  await gone;
}

it('21. a new launcher stops what its killed predecessor left, and touches nobody else (OrphanDetection)', async () => {
  const [dir, stateDir] = [temporaryFolder(), temporaryFolder()];
  addPattern(dir, 'p', { manifest: 'name: p\nversion: 1.0.0\nexecutable: ./run\nresources: {memory_limit: 64Mi}\n' });
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
  const innocent = stranger({});
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
  const pid = stranger({});
  const identity = identityOf(pid);
  expect(isSame(identity)).toBe(true);
  for (const other of [{ ...identity, startTicks: '1' }, { ...identity, boot: 'x' }, { ...identity, startTicks: '' }, { ...identity, pid: 1 }, { ...identity, pid: -pid }]) {
    expect(isSame(other)).toBe(false);
    expect(await endOrphan(other, 0)).toBe(false);
  }
  expect(alive(pid)).toBe(true);
});
