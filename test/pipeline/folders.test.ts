// Two checkouts with one name of a pipeline: each is told which folder is meant, and none ends the other's. And `mimas up` where nothing runs.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../helpers/command.js';
import { squat } from '../helpers/squatter.js';
import { alive, eventually, freePorts, makeProject, plain } from './helpers.js';

const background: number[] = [];
afterEach(() => {
  for (const pid of background.splice(0)) if (alive(pid)) process.kill(pid, 'SIGKILL');
});

describe('two checkouts', () => {
  it('one runs: the other is told where, and ends, stops and changes nothing of it', { timeout: 240_000 }, async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--no-control-plane');
    await run.line('Pipeline started successfully');
    const other = join(project.folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'pipeline.yaml'), JSON.stringify({ apiVersion: 'mimas/v1', kind: 'Pipeline', metadata: { name: 'test' }, spec: { sources: [plain('b')] } }));
    const there = (...args: string[]) => runCommand(args, { cwd: other, env: project.env });
    expect(there('run', 'pipeline.yaml', '--plain', '--no-control-plane')).toMatchObject({ status: 1, stderr: expect.stringContaining(`a pipeline called test runs already, that of another folder: ${project.file}`) });
    expect(there('ps').stdout).toContain(`test (process, pid ${run.child.pid}): started, in ${project.folder}\n`);
    for (const args of [['down', 'test'], ['stop', 'a'], ['up']]) {
      expect(there(...args)).toMatchObject({ status: 4, stderr: expect.stringContaining(`the pipeline test that runs is that of another folder, ${project.folder}; the one of this folder (${join(other, 'pipeline.yaml')}) does not run`) });
    }
    expect(there('down', '--folder', other).stderr).toContain(`the pipeline test that runs is that of ${project.folder}, not of ${other}`);
    expect(project.pids().filter(alive)).toHaveLength(1);
    // From a folder without one, there is nothing to be mistaken for.
    expect(runCommand(['restart', 'a'], { cwd: dirname(project.folder), env: project.env }).status).toBe(0);
    expect(there('down', '--folder', project.folder).status).toBe(0);
    expect(await run.exit()).toBe(0);
  });
});

describe('mimas up', () => {
  it('starts the pipeline of the folder where none runs, and takes over its file where it does', async () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    expect(project.mimas('up')).toMatchObject({ status: 0, stderr: expect.stringMatching(/^test runs in the background \(pid \d+\)/) });
    const { pid } = JSON.parse(project.mimas('ps', '--json').stdout) as { pid: number };
    background.push(pid);
    expect(project.mimas('up').stdout).toBe('nothing has changed\n');
    expect(project.mimas('down').status).toBe(0);
    expect(await eventually(() => !alive(pid))).toBe(true);
  });

  it('says that there is nothing to start', () => {
    const project = makeProject();
    expect(project.mimas('up')).toMatchObject({ status: 4, stderr: expect.stringContaining('no pipeline runs here') });
    writeFileSync(project.file, 'kind: Pipelin\n');
    expect(project.mimas('up')).toMatchObject({ status: 2, stderr: expect.stringContaining("kind must be 'Pipeline', got: Pipelin") });
  });
});

describe('the port that control plane and launcher both have by default', () => {
  it('whoever comes second says who has it', async () => {
    const project = makeProject();
    const [port] = (await freePorts(1)) as [number];
    project.write({ sources: [plain('a')] });
    mkdirSync(join(project.folder, 'patterns/p'), { recursive: true });
    writeFileSync(join(project.folder, 'patterns/p/run'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    writeFileSync(join(project.folder, 'patterns/p/manifest.yaml'), 'name: p\nversion: 1.0.0\nexecutable: ./run\n');
    const run = project.start('run', 'pipeline.yaml', '--plain', '--control-plane-port', String(port));
    await run.line('Pipeline started successfully');
    const { status, stderr } = project.mimas('launch', '--grpc-port', String(port), '--metrics-port', '0');
    expect(status).toBe(2);
    expect(stderr).toContain(`gRPC cannot be served at 127.0.0.1:${port}: port ${port} is in use by another program (pid ${run.child.pid})`);
    expect(stderr).toContain(`port ${port} is that of the control plane of pipeline test (${project.file})`);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    const { pid } = await squat(port);
    expect(project.mimas('run', 'pipeline.yaml', '--control-plane-port', String(port)).stderr).toContain(`the control plane cannot listen on 127.0.0.1:${port}: port ${port} is in use by another program (pid ${pid}); --control-plane-port 0 takes a free port`);
  });
});
