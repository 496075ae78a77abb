// The same pipelines as containers of a real Docker engine, which scripts/docker-for-tests.sh starts.
// Without an engine these tests are skipped, and say so.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { available, boxed, containers, docker, makeProject, NAME, networks, PLAIN, serving, socket } from './engine.js';
import { eventually, freePorts } from './helpers.js';
import { serveImage } from './registry-server.js';

let before: string | undefined;

describe.skipIf(!available)('containers', { timeout: 60_000 }, () => {
  beforeAll(() => {
    before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = `unix://${socket}`;
  });
  afterAll(async () => {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
    expect(await containers()).toEqual([]);
  });

  it('start in order, find each other by name, have their labels and limits, and are gone with their network after Ctrl+C', async () => {
    const [a, b] = (await freePorts(2)) as [number, number];
    const project = makeProject();
    const ask = `const t = await (await fetch(process.env.SOURCE + '/count')).text(); console.log('source has pid ' + t); process.exit(0)`;
    project.write(
      { sources: [serving('first', a, { resources: { memory: '128MB', cpu: 0.5 } })], processors: [serving('second', b, { inputs: ['first'] })], sinks: [boxed('asks', { command: ['node', '--input-type=module', '-e', ask], env: { SOURCE: `http://localhost:${a}`, OWN: 'localhost:1' } })] },
    );
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    await run.line('Component asks completed');
    expect(run.lines.slice(0, 6)).toEqual([`Starting pipeline: ${NAME}`, 'Starting component: first', 'Component first health check passed', 'Starting component: second', 'Component second health check passed', 'Starting component: asks']);
    // Of the container, where it is number one.
    expect(project.log('asks')).toBe('source has pid 1\n');
    const info = await docker.getContainer(`mimas-${NAME}-first`).inspect();
    expect(info.Config.Labels).toMatchObject({ 'mimas.pipeline': NAME, 'mimas.component': 'first' });
    expect(info.HostConfig).toMatchObject({ Memory: 128 * 1024 ** 2, NanoCpus: 5e8, NetworkMode: `mimas-${NAME}` });
    expect(info.HostConfig.PortBindings).toEqual({ [`${a}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(a) }] });
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(run.lines.slice(-4)).toEqual(['Received shutdown signal', 'Stopping component: second', 'Stopping component: first', 'Pipeline stopped successfully']);
    expect([await containers(), await networks()]).toEqual([[], []]);
  });

  it('a crash is followed by a new container; exec and log checks look into it; replicas have ports of their own', async () => {
    const [port] = (await freePorts(1)) as [number];
    const project = makeProject();
    project.write({ sources: [serving('web', port, { replicas: 2 }), boxed('inside', { health_check: { exec: ['/bin/busybox', 'test', '-e', '/app/component.mjs'] } }), boxed('talks', { env: { SAY: 'here I am' }, health_check: { log: 'here' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    expect((await containers()).map(({ Names }) => Names[0]).sort()).toEqual(['inside', 'talks', 'web', 'web-2'].map((id) => `/mimas-${NAME}-${id}`));
    await fetch(`http://127.0.0.1:${port + 1}/crash`).catch(() => {});
    await run.line('Component web-2 is up again (restart 1)');
    expect(run.lines).toContainEqual(expect.stringMatching(/^Component web-2 exited with code 7.*; it is started again$/));
    expect((await fetch(`http://127.0.0.1:${port + 1}/health`)).status).toBe(200);
    expect(project.mimas('down').status).toBe(0);
    expect(await run.exit()).toBe(0);
    expect([await containers(), await networks()]).toEqual([[], []]);
  });

  it('a failed start removes everything, and names the component with its last lines', async () => {
    const [port] = (await freePorts(1)) as [number];
    const project = makeProject();
    project.write({ sources: [serving('good', port)], sinks: [boxed('bad', { env: { EXIT_AFTER: 10, EXIT_CODE: 3 }, health_check: { log: 'never' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.err()).toBe('mimas: component bad failed to start: exited with code 3 before its health check passed\n    bad | bad gives up\n');
    expect([await containers(), await networks()]).toEqual([[], []]);
  });

  it('SIGKILL of mimas leaves neither containers nor network', async () => {
    const project = makeProject();
    project.write({ sources: [boxed('a', { env: { SAY: 'up' }, health_check: { log: 'up' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    run.signal('SIGKILL');
    await run.exit();
    expect(await eventually(async () => (await containers()).length + (await networks()).length === 0, 20_000)).toBe(true);
  });

  it('who ignores SIGTERM is killed when its grace is over', async () => {
    const project = makeProject();
    project.write({ sources: [boxed('deaf', { env: { ON_TERM: 'ignore', SAY: 'up' }, health_check: { log: 'up' }, stop: { grace_period: '300ms' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(await containers()).toEqual([]);
  });

  it('who goes over its memory limit is told as such', async () => {
    const project = makeProject();
    project.write({ sources: [boxed('greedy', { command: ['node', '-e', 'const all = []; setTimeout(() => { for (;;) all.push(Buffer.alloc(1e6, 1)); }, 500)'], resources: { memory: '64MB' }, restart_policy: 'no' })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.err()).toContain('component greedy was ended by SIGKILL (out of memory: its limit is 64.0 MB)');
  });

  it('components reach the control plane from their network', async () => {
    const project = makeProject();
    const dial = `const { host } = new URL(process.env.FLOWCTL_ENDPOINT); const [h, p] = host.split(':'); require('node:net').connect(p, h, () => { console.log('reached ' + h); process.exit(0); })`;
    project.write({ sources: [boxed('dials', { command: ['node', '-e', dial] })] });
    const { status, stderr } = project.mimas('run', 'pipeline.yaml', '--orchestrator', 'container', '--plain', '--control-plane-port', '0');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(project.log('dials')).toBe('reached host.docker.internal\n');
  });

  it('images are pulled with progress from a registry; one that cannot be had is one clear error', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'a', image: '127.0.0.1:1/nothing:1' }] });
    const gone = project.mimas('run', 'pipeline.yaml', ...PLAIN);
    expect(gone).toMatchObject({ status: 4, stderr: expect.stringContaining('EngineUnavailableError: image 127.0.0.1:1/nothing:1 cannot be pulled') });
    project.write({ sources: [boxed('a', { image: 'no-such-image', pull: 'never' })] });
    expect(project.mimas('run', 'pipeline.yaml', ...PLAIN)).toMatchObject({ status: 4, stderr: expect.stringContaining('image no-such-image is not here, and pull is never') });
    expect(await networks()).toEqual([]);
    const registry = await serveImage();
    const image = `127.0.0.1:${registry.port}/tiny:1`;
    project.write({ sources: [{ id: 'a', image, command: ['/bin/busybox', 'echo', 'pulled'] }] });
    const run = project.start('run', 'pipeline.yaml', '--orchestrator', 'container', '--no-control-plane');
    expect(await run.exit()).toBe(0);
    registry.close();
    await docker.getImage(image).remove({ force: true });
    expect(run.lines).toContain(`Pulling ${image}`);
    expect(run.lines).toContain(`Pulled ${image}`);
    expect(run.lines).toContain('a | pulled');
  });
});

it.skipIf(!available)('the example gives the same result as containers', { timeout: 60_000 }, async () => {
  const { runExample } = await import('./example.js');
  await runExample(['--orchestrator', 'container'], { DOCKER_HOST: `unix://${socket}`, WORDS_NAME: `words-${process.pid}` });
  expect(readFileSync(join(root, 'examples/pipeline/pipeline.yaml'), 'utf8')).toContain('image: local-node');
});
