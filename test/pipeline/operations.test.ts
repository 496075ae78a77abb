// Operations on a running pipeline: ps, logs, stop, restart, scale, up, down, attach, and the background.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { alive, eventually, freePorts, makeProject, plain, serving } from './helpers.js';

interface Status { phase: string; pid: number; components: { id: string; state: string; pid?: number; restarts: number; ports: number[] }[] }
type Project = ReturnType<typeof makeProject>;

const status = (project: Project) => JSON.parse(project.mimas('ps', '--json').stdout) as Status;
const stateOf = (project: Project, id: string) => status(project).components.find((one) => one.id === id);
const background: number[] = [];
afterEach(() => {
  for (const pid of background.splice(0)) if (alive(pid)) process.kill(pid, 'SIGKILL');
});

async function running(stages: Parameters<Project['write']>[0], spec: object = {}) {
  const project = makeProject();
  project.write(stages, spec);
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  await run.line(/^Pipeline started/);
  return { project, run };
}

describe('a running pipeline', () => {
  it('ps shows its components; stop ends one and leaves the others; restart brings it back under a new pid', async () => {
    const { project, run } = await running({ sources: [plain('a'), plain('b')] });
    const first = stateOf(project, 'a')!;
    expect(first).toMatchObject({ state: 'running', restarts: 0 });
    expect(alive(first.pid!)).toBe(true);
    expect(project.mimas('ps').stdout).toMatch(/^test \(process, pid \d+\): started\nNAME +KIND +STATE +PID[^\n]*\na +source +running +\d+ +\d+\.\d% +\d+\.?\d* MB +0 /);
    expect(project.mimas('stop', 'a').status).toBe(0);
    expect(stateOf(project, 'a')).toMatchObject({ state: 'stopped' });
    expect(alive(first.pid!)).toBe(false);
    expect(stateOf(project, 'b')).toMatchObject({ state: 'running' });
    expect(project.mimas('restart', 'a').status).toBe(0);
    const second = stateOf(project, 'a')!;
    expect(second).toMatchObject({ state: 'running', restarts: 1 });
    expect(second.pid).not.toBe(first.pid);
    expect(project.mimas('down')).toMatchObject({ status: 0, stdout: expect.stringMatching(/Pipeline stopped successfully\n$/) });
    expect(await run.exit()).toBe(0);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('an unknown component and an unknown pipeline are errors with a suggestion', async () => {
    const { project, run } = await running({ sources: [plain('source')] });
    expect(project.mimas('stop', 'sorce')).toMatchObject({ status: 1, stderr: expect.stringContaining("component not found: sorce; did you mean 'source'?") });
    expect(project.mimas('ps', '-p', 'tset')).toMatchObject({ status: 4, stderr: expect.stringContaining("no pipeline called tset runs here; did you mean 'test'?") });
    run.signal('SIGTERM');
    await run.exit();
    expect(project.mimas('down')).toMatchObject({ status: 4, stderr: expect.stringContaining('no pipeline runs here') });
  });

  it('the same pipeline does not run twice at a time', async () => {
    const { project, run } = await running({ sources: [plain('a')] });
    expect(project.mimas('run', 'pipeline.yaml', '--plain')).toMatchObject({ status: 1, stderr: expect.stringContaining('a pipeline called test runs already') });
    expect(stateOf(project, 'a')).toMatchObject({ state: 'running' });
    run.signal('SIGTERM');
    expect(await run.exit()).toBe(0);
  });

  it('scale adds replicas with ports of their own and takes the last away first', async () => {
    const [port] = (await freePorts(1)) as [number];
    const { project, run } = await running({ sources: [serving('web', port, { env: {}, ports: [{ port, env: 'PORT' }] })] });
    expect(project.mimas('scale', 'web', '3').status).toBe(0);
    expect(status(project).components.map(({ id, state, ports }) => [id, state, ports])).toEqual([['web', 'healthy', [port]], ['web-2', 'healthy', [port + 1]], ['web-3', 'healthy', [port + 2]]]);
    expect(await (await fetch(`http://127.0.0.1:${port + 2}/count`)).text()).toBe(String(stateOf(project, 'web-3')!.pid));
    expect(project.mimas('scale', 'web', '1').status).toBe(0);
    expect(status(project).components.map(({ id }) => id)).toEqual(['web']);
    expect(project.happened().filter((what) => what.startsWith('term')).sort()).toEqual(['term web-2', 'term web-3']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('up takes over what changed in the file and leaves the rest alone', async () => {
    const { project, run } = await running({ sources: [plain('same'), plain('changes', { env: { SAY: 'old' } }), plain('goes')] });
    const before = status(project);
    project.write({ sources: [plain('same'), plain('changes', { env: { SAY: 'new' } })], sinks: [plain('comes')] });
    expect(project.mimas('up')).toMatchObject({ status: 0, stdout: 'added comes; removed goes; changed changes\n' });
    const after = status(project);
    const pid = (one: Status, id: string) => one.components.find((component) => component.id === id)?.pid;
    expect(after.components.map(({ id, state }) => [id, state])).toEqual([['same', 'running'], ['changes', 'running'], ['comes', 'running']]);
    expect(pid(after, 'same')).toBe(pid(before, 'same'));
    expect(pid(after, 'changes')).not.toBe(pid(before, 'changes'));
    expect(alive(pid(before, 'goes')!)).toBe(false);
    expect(project.mimas('up').stdout).toBe('nothing has changed\n');
    writeFileSync(project.file, readFileSync(project.file, 'utf8').replace('"command"', '"comand"'));
    expect(project.mimas('up')).toMatchObject({ status: 2, stderr: expect.stringContaining("unknown field 'comand'; did you mean 'command'?") });
    expect(status(project).components).toHaveLength(3);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('--watch takes over changes by itself', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane', '--watch');
    await run.line('Pipeline started successfully');
    project.write({ sources: [plain('a'), plain('b')] });
    await run.line('Component b started');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('up tries again what failed and was skipped, in order', async () => {
    const { project, run } = await running({ sources: [plain('steady'), { id: 'broken', command: ['sh', '-c', 'exit 3'] }], sinks: [plain('waits', { inputs: ['broken'] })] }, { on_failure: 'continue' });
    expect(status(project).components.map(({ state }) => state)).toEqual(['running', 'failed', 'skipped']);
    project.write({ sources: [plain('steady'), plain('broken')], sinks: [plain('waits', { inputs: ['broken'] })] }, { on_failure: 'continue' });
    expect(project.mimas('up').status).toBe(0);
    expect(status(project).components.map(({ state }) => state)).toEqual(['running', 'running', 'running']);
    run.signal('SIGINT');
    await run.exit();
  });

  it('logs shows what was printed, -f follows, for one or all', async () => {
    const [port] = (await freePorts(1)) as [number];
    const { project, run } = await running({ sources: [plain('a', { env: { SAY: 'from a' }, health_check: { log: 'from a' } }), serving('b', port, { env: { SAY: 'from b' } })] });
    expect(project.mimas('logs', 'a').stdout).toBe('a | from a\n');
    expect(await eventually(() => project.log('b') !== '')).toBe(true);
    expect(project.mimas('logs').stdout.split('\n').sort().slice(1)).toEqual(['a | from a', 'b | from b']);
    const follower = project.start('logs', '-f');
    await follower.line('b | from b');
    project.mimas('restart', 'b');
    const again = () => follower.lines.filter((line) => line === 'b | from b').length === 2;
    expect(await eventually(again)).toBe(true);
    follower.signal('SIGINT');
    expect(await follower.exit()).toBe(0);
    expect(stateOf(project, 'b')).toMatchObject({ state: 'healthy' });
    run.signal('SIGINT');
    await run.exit();
  });

  it('the socket is in a folder of this user alone; any other folder is refused', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    const { chmodSync } = await import('node:fs');
    chmodSync(join(project.folder, 'run'), 0o755);
    expect(project.mimas('run', 'pipeline.yaml', '--plain')).toMatchObject({ status: 4, stderr: expect.stringContaining('is not a folder of this user alone (mode 0700)') });
    expect(project.happened()).toEqual([]);
  });
});

describe('in the background', () => {
  it('-d returns when the pipeline is up; attach follows it and leaves it running; down ends it', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a', { env: { SAY: 'hello' }, health_check: { log: 'hello' } })] });
    expect(project.mimas('run', 'pipeline.yaml', '-d', '--no-control-plane')).toMatchObject({ status: 0, stderr: expect.stringMatching(/^test runs in the background \(pid \d+\); mimas ps shows it, mimas down ends it\n$/) });
    const { pid, phase } = status(project);
    background.push(pid);
    expect(phase).toBe('started');
    expect(['', 'a.log', 'test.mimas.log'].map((name) => (statSync(join(project.folder, 'logs', name)).mode & 0o777).toString(8))).toEqual(['700', '600', '600']);
    const attached = project.start('attach');
    await attached.stderr(/attached/);
    project.mimas('restart', 'a');
    await attached.line(/^Component a is up again/);
    await attached.line('a | hello');
    attached.signal('SIGINT');
    expect(await attached.exit()).toBe(0);
    expect(stateOf(project, 'a')).toMatchObject({ state: 'healthy' });
    expect(project.mimas('down', 'test').status).toBe(0);
    expect(await eventually(() => !alive(pid))).toBe(true);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('-d says why when the pipeline does not come up', () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'bad', command: ['sh', '-c', 'echo no luck; exit 3'] }] });
    const { status: code, stderr } = project.mimas('run', 'pipeline.yaml', '-d', '--no-control-plane');
    expect(code).toBe(1);
    expect(stderr).toContain('component bad failed to start: exited with code 3');
    expect(stderr).toContain('    bad | no luck');
  });
});
