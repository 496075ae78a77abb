// The socket of a running pipeline, and those who treat it badly: nothing of it reaches the pipeline.
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, makeProject, plain } from './helpers.js';

async function running(part: Parameters<typeof plain>[1]) {
  const project = makeProject();
  project.write({ sources: [plain('a', part)] });
  const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
  await run.line('Pipeline started successfully');
  return { project, run, path: join(project.env.MIMAS_RUNTIME_DIR, 'test.pipeline.sock') };
}

describe('the socket', () => {
  it('answers nonsense with an error, and is not hurt by who hangs up', async () => {
    const { project, run, path } = await running({});
    const answerTo = (text: string) => new Promise<string>((resolve) => {
      const socket = connect(path, () => socket.write(text));
      createInterface({ input: socket }).once('line', resolve);
    });
    expect(JSON.parse(await answerTo('nonsense\n'))).toMatchObject({ ok: false });
    expect(JSON.parse(await answerTo('{"op":"explode"}\n'))).toMatchObject({ ok: false, error: { code: 'INVALID_OPTION', message: 'unknown operation "explode"' } });
    expect(JSON.parse(await answerTo('null\n'))).toMatchObject({ ok: false });
    await Promise.all(['', '{"op":"sta', '{"op":"attach"}\n', '{"op":"logs","follow":true}\n'].map((text) => new Promise<void>((resolve) => {
      const socket = connect(path, () => socket.write(text || ' ', () => socket.destroy()));
      socket.once('close', () => resolve());
    })));
    expect(project.mimas('ps').stdout).toContain('test (process');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('a reader that does not read costs lines, which are counted, and neither memory nor the component', async () => {
    const { project, run, path } = await running({ env: { SPAM: 1, SAY: 'up' }, health_check: { log: 'up' } });
    const socket = connect(path);
    socket.write('{"op":"logs","follow":true,"tail":0}\n');
    socket.pause();
    await new Promise((resolve) => socket.once('connect', resolve));
    // Thirty megabytes, of which the component is rid at once.
    project.write({ sources: [plain('a', { env: { SPAM: 300_000, SAY: 'up' }, health_check: { log: 'up' } })] });
    expect(project.mimas('up').status).toBe(0);
    const counted: string[] = [];
    createInterface({ input: socket }).on('line', (line) => {
      const { detail } = JSON.parse(line) as { detail?: { line: string } };
      if (detail?.line.includes('were left out')) counted.push(detail.line);
    });
    // The next line tells what was missed.
    expect(await project.start('restart', 'a').exit()).toBe(0);
    expect(await eventually(() => counted.length > 0)).toBe(true);
    expect(Number(/… (\d+) lines were left out/.exec(counted[0]!)![1])).toBeGreaterThan(1000);
    socket.destroy();
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('that a killed pipeline has left goes with the next start of any; of several of its name that come at once one gets it', { timeout: 40_000 }, async () => {
    const { project, run, path } = await running({});
    run.signal('SIGKILL');
    await run.exit();
    expect(existsSync(path)).toBe(true);
    const rivals = Array.from({ length: 3 }, () => project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane'));
    const told = await Promise.all(rivals.map(async (one) => Promise.race([one.line('Pipeline started successfully').then(() => 'started', () => 'refused'), one.exit().then(() => 'refused')])));
    expect(told.toSorted()).toEqual(['refused', 'refused', 'started']);
    expect(rivals.filter((_, i) => told[i] === 'refused').map((one) => /a pipeline called test runs already/.test(one.err()))).toEqual([true, true]);
    const winner = rivals[told.indexOf('started')]!;
    expect(project.mimas('ps').stdout).toContain('test (process');
    winner.signal('SIGKILL');
    await winner.exit();
    // A younger one may be about to be listened at.
    expect(await eventually(() => Date.now() - statSync(path).ctimeMs > 1_100)).toBe(true);
    project.write({ sources: [plain('a')] }, {}, 'another');
    const next = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
    await next.line('Pipeline started successfully');
    expect(await eventually(() => !existsSync(path))).toBe(true);
    next.signal('SIGINT');
    expect(await next.exit()).toBe(0);
  });

  it('a folder whose name is too long for a socket is refused by name', () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    const long = join(project.folder, 'x'.repeat(100));
    expect(project.mimasWith({ ...project.env, MIMAS_RUNTIME_DIR: long }, 'run', 'pipeline.yaml', '--plain')).toMatchObject({ status: 2, stderr: expect.stringMatching(/is too long for a socket \(at most \d+ bytes\); set MIMAS_RUNTIME_DIR to a shorter folder/) });
  });
});
