// Mimas process files as components of this machine.
import { describe, expect, it } from 'vitest';
import { alive, makeProcessProject, makeProject, plain } from './helpers.js';

const PLAIN = ['--plain', '--no-control-plane'];

describe('process files', () => {
  it('Ctrl+C while init hangs ends the process at once, and everything else', async () => {
    const project = makeProcessProject('async init() { await new Promise((resolve) => setTimeout(resolve, 1e8)); }');
    project.write({ sources: [plain('other'), { id: 'own', process: './own.process.ts' }] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await project.until((happened) => happened.includes('start own') && happened.includes('start other'));
    const asked = performance.now();
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    // Not its start_timeout of 30 s.
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('can be waited for without a health_check: they say themselves when they are healthy', async () => {
    const project = makeProcessProject(`well = Date.now() + 600;
      @HealthCheck() health() { const ok = Date.now() > this.well; return { status: ok ? 'healthy' as const : 'unhealthy' as const, checks: [{ name: 'self', status: ok ? 'pass' as const : 'fail' as const }] }; }`);
    project.write({ sources: [{ id: 'own', process: './own.process.ts' }, plain('waits', { depends_on: { own: 'healthy' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    expect(run.lines.slice(1)).toEqual(['Starting component: own', 'Component own started', 'Starting component: waits', 'Component waits started', 'Pipeline started successfully']);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});

it('an orchestrator that does not exist is refused by name', () => {
  const project = makeProject();
  project.write({ sources: [plain('a')] });
  expect(project.mimas('run', 'pipeline.yaml', '--orchestrator', 'kontainer')).toMatchObject({ status: 2, stderr: expect.stringContaining("unknown orchestrator type: kontainer; did you mean 'container'?") });
});
