// What happens to a running pipeline when its file changes, or when somebody restarts and scales: in order, one change at a time.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPipeline, PipelineRunner, ProcessOrchestrator } from '../../dist/pipeline/index.js';
import { alive, eventually, freePorts, makeProject, plain, serving, type Part } from './helpers.js';

type Project = ReturnType<typeof makeProject>;
interface Status { components: { id: string; state: string; pid?: number; restarts: number; cpu?: number; memory?: number }[] }
const statesOf = (project: Project) => (JSON.parse(project.mimas('ps', '--json').stdout) as Status).components.map(({ id, state }) => `${id} ${state}`);

async function running(stages: Parameters<Project['write']>[0], ...args: string[]) {
  const project = makeProject();
  project.write(stages);
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane', ...args);
  await run.line('Pipeline started successfully');
  return { project, run };
}

describe('up', () => {
  it('starts what has changed only when what it depends on, which has changed as well, is healthy again; who has not changed stays', async () => {
    const [a, b, c] = (await freePorts(3)) as [number, number, number];
    const stages = (version: string, slow: number) => ({
      sources: [serving('a', a, { env: { VERSION: version, HEALTHY_AFTER: slow } }), plain('other')],
      processors: [serving('b', b, { inputs: ['a'], env: { VERSION: version } })],
      sinks: [serving('c', c, { inputs: ['b'] })],
    });
    const { project, run } = await running(stages('1', 0));
    const before = run.lines.length;
    project.write(stages('2', 700));
    expect(project.mimas('up')).toMatchObject({ status: 0, stdout: 'changed a, b\n' });
    await run.line('Component b is up again (restart 1)');
    expect(run.lines.slice(before)).toEqual(['Stopping component: b', 'Stopping component: a', 'Component a is up again (restart 1)', 'Component b is up again (restart 1)']);
    const starts = project.happened().filter((what) => what.startsWith('start'));
    expect(starts.slice(-2)).toEqual(['start a', 'start b']);
    expect(starts.filter((what) => what === 'start c' || what === 'start other')).toHaveLength(2);
    expect(statesOf(project)).toEqual(['a healthy', 'other running', 'b healthy', 'c healthy']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a new version that does not come up is told and takes nobody along; the next one may mend it', async () => {
    const { project, run } = await running({ sources: [plain('a'), plain('b')] });
    project.write({ sources: [plain('a'), { id: 'b', command: ['sh', '-c', 'echo broken; exit 4'] }] });
    expect(project.mimas('up')).toEqual({ status: 1, stdout: 'changed b\n', stderr: 'mimas: component b failed to start: exited with code 4\n' });
    expect(statesOf(project)).toEqual(['a running', 'b failed']);
    project.write({ sources: [plain('a'), plain('b')] });
    expect(project.mimas('up').status).toBe(0);
    expect(statesOf(project)).toEqual(['a running', 'b running']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('another name is refused: the socket has the old one', async () => {
    const { project, run } = await running({ sources: [plain('a')] });
    project.write({ sources: [plain('a')] }, {}, 'other');
    expect(project.mimas('up', '--pipeline', 'test')).toMatchObject({ status: 2, stderr: expect.stringContaining('metadata.name cannot change while the pipeline runs: it is test, not other') });
    expect(statesOf(project)).toEqual(['a running']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});

describe('restart and scale', () => {
  it('a restart that does not come up is an error, and the others go on', async () => {
    const { project, run } = await running({ sources: [plain('a'), { id: 'once', command: ['sh', '-c', 'test ! -e been || exit 5; touch been; exec sleep 1000'] }] });
    expect(project.mimas('restart', 'once')).toMatchObject({ status: 1, stderr: expect.stringContaining('component once failed to start: exited with code 5') });
    expect(statesOf(project)).toEqual(['a running', 'once failed']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(1);
  });

  it('restarts that come together leave one process', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a'), plain('b')] });
    const runner = new PipelineRunner({ ...loadPipeline(project.file) }, { orchestrator: new ProcessOrchestrator() });
    Object.assign(process.env, { JOURNAL: project.env.JOURNAL });
    try {
      await runner.start();
      await project.until((happened) => happened.includes('start a') && happened.includes('start b'));
      await Promise.all([runner.restart('a'), runner.restart('a'), runner.restart('a')]);
      expect(runner.status().components[0]).toMatchObject({ id: 'a', state: 'running', restarts: 1 });
      expect(await eventually(() => project.happened().filter((what) => what === 'start a').length === 2)).toBe(true);
      expect(project.pids().filter(alive)).toHaveLength(2);
      // Who is stopped while he is restarted stays down.
      const restarted = runner.restart('a');
      await Promise.all([runner.stopComponent('a'), restarted]);
      expect(runner.status().components[0]).toMatchObject({ state: 'stopped' });
    } finally {
      await runner.stop();
      delete process.env['JOURNAL'];
    }
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('replicas that would take a port of another component, or are too many, are refused', async () => {
    const [port] = (await freePorts(1)) as [number];
    const web = (id: string, at: number): Part => serving(id, at, { ports: [{ port: at, env: 'PORT' }] });
    const { project, run } = await running({ sources: [web('a', port), plain('b', { ports: [port + 1] })] });
    expect(project.mimas('scale', 'a', '2')).toMatchObject({ status: 2, stderr: expect.stringContaining(`port ${port + 1} belongs to a`) });
    expect(project.mimas('scale', 'a', '1001')).toMatchObject({ status: 2, stderr: expect.stringContaining('replicas: 1001 is not a whole number between 0 and 1000') });
    expect(statesOf(project)).toEqual(['a healthy', 'b running']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});

describe('watch', () => {
  it("a component's own logs in a watched folder are no change; a change is named, and a broken one ends nothing", async () => {
    const project = makeProject();
    mkdirSync(join(project.folder, 'src'));
    const program = join(project.folder, 'src', 'main.mjs');
    writeFileSync(program, 'console.log("one"); setInterval(() => console.log("still"), 20)');
    project.write({ sources: [{ id: 'dev', command: [process.execPath, 'src/main.mjs'], watch: { paths: ['.'], ignore: ['journal'], debounce: '50ms' } }] });
    const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
    await run.line('Pipeline started successfully');
    // Fifty lines in the log, which lies in the watched folder.
    expect(await eventually(() => run.lines.filter((line) => line === 'dev | still').length >= 50)).toBe(true);
    expect(run.lines.filter((line) => line.includes('has changed'))).toEqual([]);
    writeFileSync(program, 'syntax error');
    // Given up at once, or, on a slow machine, after it seemed to have come up.
    await run.line(/^Component dev (?:failed to start: )?exited with code 1/);
    expect(run.lines).toContain(`${program} has changed: dev is started again`);
    writeFileSync(program, 'console.log("mended"); setInterval(() => {}, 1000)');
    await run.line('dev | mended');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});

it('ps tells what a component uses, with all that it has started', async () => {
  const { project, run } = await running({ sources: [{ id: 'busy', command: ['sh', '-c', `"${process.execPath}" -e "for (;;) {}"; true`] }, plain('idle')] });
  const { components } = JSON.parse(project.mimas('ps', '--json').stdout) as Status;
  const [busy, idle] = components as [Status['components'][0], Status['components'][0]];
  expect(busy.cpu).toBeGreaterThan(20);
  expect(busy.memory).toBeGreaterThan(20e6);
  expect(idle.cpu).toBeLessThan(busy.cpu!);
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
});

it('the control plane leaves port 8080 to a component that has it', async () => {
  const project = makeProject();
  project.write({ sources: [plain('a', { ports: [8080], env: { PRINT_ENV: 'FLOWCTL_ENDPOINT', SAY: 'done' }, health_check: { log: 'done' } })] });
  const run = project.start('run', 'pipeline.yaml', '--plain');
  await run.line('Pipeline started successfully');
  expect(project.mimas('logs', 'a').stdout).toMatch(/FLOWCTL_ENDPOINT=http:\/\/localhost:(?!8080\n)\d+\n/);
  run.signal('SIGINT');
  expect(await run.exit()).toBe(0);
  expect(project.mimas('run', 'pipeline.yaml', '--plain', '--control-plane-port', '8080')).toMatchObject({ status: 2, stderr: expect.stringContaining('the control plane cannot listen on 127.0.0.1:8080: a component has that port') });
});
