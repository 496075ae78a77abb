// What containers have beside their program: volumes, udp ports, images that are pulled each time, process files; and what
// becomes of them when the engine, mimas or its guardian goes away. Against a real Docker engine, see engine.ts.
import { createSocket } from 'node:dgram';
import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { available, boxed, containers, docker, makeProject, NAME, networks, PLAIN, serving, socket } from './engine.js';
import { alive, eventually, freePorts } from './helpers.js';
import { serveImage } from './registry-server.js';

describe.skipIf(!available)('containers', { timeout: 90_000 }, () => {
  beforeAll(async () => expect(await containers()).toEqual([]));
  afterAll(async () => expect([await containers(), await networks()]).toEqual([[], []]));

  it('a named volume outlives the pipeline; a udp port is published; a whole pipeline may be an image', async () => {
    const [port] = (await freePorts(1)) as [number];
    const project = makeProject();
    const volume = `mimas-${NAME}-data`;
    const append = `require('node:fs').appendFileSync('/data/runs', 'x'); console.log('runs ' + require('node:fs').readFileSync('/data/runs', 'utf8').length)`;
    const echo = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (m, from) => s.send('echo ' + m, from.port, from.address)); s.bind(${port}, () => console.log('bound'))`;
    project.write({
      sources: [boxed('keeps', { command: ['node', '-e', append], volumes: [{ name: volume, mountPath: '/data' }] }), boxed('echoes', { command: ['node', '-e', echo], ports: [{ port, protocol: 'UDP' }], health_check: { log: 'bound' } })],
      pipelines: [boxed('whole', { command: undefined, args: ['-e', 'console.log("I am " + process.env.COMPONENT_ID)'] })],
    } as never);
    for (const run of [1, 2]) {
      const started = project.start('run', 'pipeline.yaml', ...PLAIN);
      await started.line('Pipeline started successfully');
      await started.line('Component keeps completed');
      await started.line('Component whole completed');
      expect(project.log('keeps').trim().split('\n').at(-1)).toBe(`runs ${run}`);
      const client = createSocket('udp4');
      const answer = new Promise<string>((resolve) => client.once('message', (message) => resolve(message.toString())));
      client.send('hello', port, '127.0.0.1');
      expect(await answer).toBe('echo hello');
      client.close();
      started.signal('SIGINT');
      expect(await started.exit()).toBe(0);
    }
    expect(project.log('whole')).toBe('I am whole\nI am whole\n');
    await docker.getVolume(volume).remove();
  });

  it('pull: always asks the registry each time, also when another component with the image would not', async () => {
    const project = makeProject();
    const registry = await serveImage();
    // Without a tag it is the latest, not all that there are.
    const image = `127.0.0.1:${registry.port}/tiny`;
    const command = ['/bin/busybox', 'true'];
    for (const [a, b] of [['always', 'missing'], ['missing', 'always'], ['always', 'always']] as const) {
      registry.asked.length = 0;
      project.write({ sources: [{ id: 'a', image, command, pull: a }, { id: 'b', image, command, pull: b }] });
      expect(await project.start('run', 'pipeline.yaml', ...PLAIN).exit()).toBe(0);
      expect(registry.asked.filter((url) => url.endsWith('/manifests/latest'))).not.toEqual([]);
      expect(registry.asked.filter((url) => url.includes('/tags/'))).toEqual([]);
    }
    registry.asked.length = 0;
    project.write({ sources: [{ id: 'a', image, command }] });
    expect(await project.start('run', 'pipeline.yaml', ...PLAIN).exit()).toBe(0);
    expect(registry.asked).toEqual([]);
    registry.close();
    await docker.getImage(`${image}:latest`).remove({ force: true });
  });

  it('a process file runs in a container with Node.js: healthy when it says so, stopped with its hooks, and refused without an image', async () => {
    const project = makeProject();
    writeFileSync(join(project.folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(project.folder, 'tsconfig.json'), '{"compilerOptions":{"experimentalDecorators":true,"emitDecoratorMetadata":true,"module":"nodenext","target":"es2022"},"include":["*.ts"]}');
    writeFileSync(join(project.folder, 'archive.process.ts'), `
      import { existsSync } from 'node:fs';
      import { HealthCheck, OnShutdown, Process } from '${join(root, 'dist/index.js')}';
      @Process({ name: 'archive' })
      export default class Archive {
        private readonly since = Date.now();
        init() { console.log('up with ' + process.argv.slice(2) + ' to ' + process.env['PEER']); }
        @HealthCheck({ interval: '200ms' }) health() { return { status: existsSync('/tmp/ill') ? 'unhealthy' as const : 'healthy' as const, checks: [{ name: 'self', status: existsSync('/tmp/ill') ? 'fail' as const : 'pass' as const, message: 'I feel ill' }] }; }
        @OnShutdown() close() { console.log('closed'); }
      }`);
    const [port] = (await freePorts(1)) as [number];
    const archive = { id: 'archive', process: './archive.process.ts', image: 'local-node', pull: 'never', args: ['one'], env: { PEER: `http://localhost:${port}` } };
    project.write({ sources: [serving('web', port)], sinks: [archive] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    const status = JSON.parse(project.mimas('ps', '--json').stdout) as { components: { id: string; state: string; memory: number }[] };
    expect(status.components[1]).toMatchObject({ id: 'archive', state: 'healthy' });
    expect(status.components[1]!.memory).toBeGreaterThan(20e6);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(project.log('archive')).toBe(`up with one to http://web:${port}\nclosed\n`);
    project.write({ sources: [serving('web', port)], sinks: [{ ...archive, image: undefined }] });
    expect(project.mimas('run', 'pipeline.yaml', ...PLAIN)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^pipeline\.yaml:1:\d+: archive: a process file needs an image with Node\.js beside it to run with --orchestrator container, such as image: node:22-slim\n$/) });
  });

  it('what mimas and its guardian left, killed both, is removed by the next start; who lives is not touched', async () => {
    const project = makeProject();
    project.write({ sources: [boxed('a', { env: { SAY: 'up' }, health_check: { log: 'up' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    const [before] = (await containers()) as { Id: string }[];
    const guardians = project.guardiansOf(run.child.pid!);
    expect(guardians).toHaveLength(1);
    // Stopped, so that it cannot see the end of mimas before it is killed itself.
    process.kill(guardians[0]!, 'SIGSTOP');
    run.signal('SIGKILL');
    await run.exit();
    process.kill(guardians[0]!, 'SIGKILL');
    expect(await eventually(() => !alive(guardians[0]!))).toBe(true);
    expect((await containers()).map(({ Id }) => Id)).toEqual([before!.Id]);
    const next = project.start('run', 'pipeline.yaml', ...PLAIN);
    await next.line('Pipeline started successfully');
    const [after, ...others] = (await containers()) as { Id: string }[];
    expect([after!.Id === before!.Id, others]).toEqual([false, []]);
    // Another mimas, which does not see the socket of this one, sees its containers.
    const elsewhere = { ...project.env, MIMAS_RUNTIME_DIR: `${project.env.MIMAS_RUNTIME_DIR}2` };
    const second = project.mimasWith(elsewhere, 'run', 'pipeline.yaml', ...PLAIN);
    expect(second).toMatchObject({ status: 1, stderr: expect.stringMatching(/a pipeline called test-\d+ runs already, by process \d+ of /) });
    expect((await containers()).map(({ Id }) => Id)).toEqual([after!.Id]);
    next.signal('SIGINT');
    expect(await next.exit()).toBe(0);
  });

  it('an engine that goes away for a while: the component is lost, and comes back with it', async () => {
    const project = makeProject();
    const path = join(project.folder, 'engine.sock');
    let engine = await forward(path);
    project.write({ sources: [boxed('a', { env: { SAY: 'up' }, health_check: { log: 'up' }, restart_policy: { condition: 'on-failure', max_restarts: 50, backoff: { max: '200ms' } } })] });
    Object.assign(project.env, { DOCKER_HOST: `unix://${path}` });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    engine.close();
    await run.line('Component a was lost (the connection to the container engine was lost); it is started again');
    engine = await forward(path);
    await run.line(/^Component a is up again/);
    expect(await containers()).toHaveLength(1);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    engine.close();
  });

  it('an engine that is gone at the end is told, with exit code 1, and nothing hangs', async () => {
    const project = makeProject();
    const path = join(project.folder, 'engine.sock');
    const engine = await forward(path);
    project.write({ sources: [boxed('a', { env: { SAY: 'up' }, health_check: { log: 'up' } })] });
    Object.assign(project.env, { DOCKER_HOST: `unix://${path}` });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    engine.close();
    run.signal('SIGINT');
    expect(await run.exit()).toBe(1);
    expect(run.err()).toMatch(/EngineUnavailableError: containers or the network of test-\d+ may be left, because the engine does not let them be removed/);
    // Their owner is dead: the next start finds them.
    Object.assign(project.env, { DOCKER_HOST: `unix://${socket}` });
    const next = project.start('run', 'pipeline.yaml', ...PLAIN);
    await next.line('Pipeline started successfully');
    next.signal('SIGINT');
    expect(await next.exit()).toBe(0);
    expect([await containers(), await networks()]).toEqual([[], []]);
  });
});

/** A way to the engine that can be cut. */
async function forward(path: string): Promise<{ close(): void }> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socket, allowHalfOpen: true });
    near.pipe(far);
    far.pipe(near);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    close() {
      server.close();
      for (const one of open) one.destroy();
    },
  };
}
