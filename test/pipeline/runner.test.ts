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
});
