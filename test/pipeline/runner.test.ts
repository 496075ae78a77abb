// The runner as a library, from dist as users get it.
import { describe, expect, it } from 'vitest';
import { loadPipeline, PipelineRunner, ProcessOrchestrator } from '../../dist/pipeline/index.js';
import { alive, makeProject, plain } from './helpers.js';

describe('PipelineRunner', () => {
  it('starts, tells and stops', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')], sinks: [plain('b')] });
    const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator() });
    const seen: string[] = [];
    runner.events.on('component', ({ id, state }) => seen.push(`${id} ${state}`));
    await runner.start();
    const pids = runner.status().components.map(({ pid }) => pid!);
    expect(pids.every(alive)).toBe(true);
    await runner.stop();
    expect(await runner.done).toEqual({ exitCode: 0, failure: undefined });
    expect(seen).toEqual(['a starting', 'a running', 'b starting', 'b running', 'b stopping', 'b stopped', 'a stopping', 'a stopped']);
    expect(pids.some(alive)).toBe(false);
  });

  it('rejects with the component that failed, after everything has been stopped', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')], sinks: [{ id: 'bad', command: ['sh', '-c', 'echo oh no; exit 3'] }] });
    const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator() });
    const error = await runner.start().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'COMPONENT_FAILED', component: 'bad', exitCode: 3, lastLines: ['oh no'] });
    expect(runner.status().components.map(({ id, state, pid }) => [id, state, pid])).toEqual([['a', 'stopped', undefined], ['bad', 'failed', undefined]]);
  });

  it.each([['while it runs', false], ['while it is stopped already', true]])('kill ends all at once, whatever their graces (%s)', async (_when, stopping) => {
    const project = makeProject();
    const deaf = { env: { ON_TERM: 'ignore', JOURNAL: project.env.JOURNAL }, stop: { grace_period: '10m' } };
    project.write({ sources: [plain('a', deaf)], sinks: [plain('b', deaf), plain('c', deaf)] });
    const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator() });
    await runner.start();
    await project.until((happened) => happened.length === 3);
    if (stopping) {
      void runner.stop();
      await project.until((happened) => happened.includes('term b'));
    }
    await runner.kill();
    expect(project.happened().filter((what) => what.startsWith('term') && !stopping)).toEqual([]);
    expect(project.pids().filter(alive)).toEqual([]);
    expect(await runner.done).toMatchObject({ exitCode: 0 });
  });

  it('the start of a pipeline that goes on without a component says which one', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a'), { id: 'bad', command: ['sh', '-c', 'exit 3'] }] }, { on_failure: 'continue' });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
    await run.line('Pipeline started without bad, which failed');
    expect(run.lines).not.toContain('Pipeline started successfully');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(1);
  });

  it('max_concurrent_starts: no more start at a time, and all do in the end', async () => {
    const project = makeProject();
    project.write({ sources: Array.from({ length: 5 }, (_, n) => plain(`c${n}`)) }, { max_concurrent_starts: 2 });
    const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator() });
    let most = 0;
    runner.events.on('component', () => (most = Math.max(most, runner.status().components.filter(({ state }) => state === 'starting').length)));
    await runner.start();
    expect(most).toBe(2);
    expect(runner.status().components.map(({ state }) => state)).toEqual(Array(5).fill('running'));
    await runner.kill();
  });

  it('who waits for his turn to start is stopped like others', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'slow', command: ['sleep', '60'], health_check: { exec: 'false' } }, plain('next')] }, { max_concurrent_starts: 1 });
    const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator() });
    const begun = new Promise<void>((resolve) => runner.events.on('component', ({ state }) => void (state === 'starting' && resolve())));
    void runner.start().catch(() => {});
    await begun;
    await runner.stop();
    expect(runner.status().components.map(({ id, state }) => `${id} ${state}`)).toEqual(['slow stopped', 'next stopped']);
  });
});
