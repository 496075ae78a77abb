// A port that somebody else listens on already: told by name before the start, whoever asks for it, and never taken for health.
import { afterEach, describe, expect, it } from 'vitest';
import { loadPipeline } from '../../src/pipeline/parse.js';
import { ProcessOrchestrator } from '../../src/pipeline/process-orchestrator.js';
import { PipelineRunner } from '../../src/pipeline/runner.js';
import { squat, startSquatter } from '../helpers/squatter.js';
import { alive, freePorts, makeProject, plain, serving, type Part } from './helpers.js';

const runners: PipelineRunner[] = [];
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.kill()));
});

function pipelineOf(sources: Part[], spec: object = {}) {
  const project = makeProject();
  const load = (parts: Part[]) => {
    project.write({ sources: parts.map((part) => ({ ...part, env: { JOURNAL: project.env.JOURNAL, ...part.env } })) }, spec);
    return loadPipeline(project.file);
  };
  const runner = new PipelineRunner(load(sources), { orchestrator: new ProcessOrchestrator() });
  runners.push(runner);
  const statesOf = () => runner.status().components.map(({ id, state }) => `${id} ${state}`);
  return { project, runner, load, statesOf };
}

const onePort = async () => (await freePorts(1))[0]!;
const taken = (port: number, pid: number) => `port ${port} is in use by another program (pid ${pid})`;

describe('a port that is in use by another program', () => {
  it.each<[string, (port: number) => Partial<Part>, object?]>([
    ['ports', (port) => ({ ports: [port] })],
    ['ports, at the other loopback', (port) => ({ ports: [port] }), { host: '::1' }],
    ['ports, at all addresses', (port) => ({ ports: [port] }), { host: '::' }],
    ['ports, UDP', (port) => ({ ports: [{ port, protocol: 'udp' }] }), { protocol: 'udp' }],
    ['ports, told by a variable', (port) => ({ ports: [{ port: 80, hostPort: port, env: 'HTTP_PORT' }] })],
    ['health_port', (port) => ({ health_port: port })],
    ['health_check.http', (port) => ({ health_check: `http://localhost:${port}/health` })],
    ['health_check.tcp', (port) => ({ health_check: { tcp: port } })],
    ['liveness_check', (port) => ({ liveness_check: { tcp: `127.0.0.1:${port}` } })],
  ])('is a failed start by name, before anything runs (%s)', async (_name, more, how) => {
    const port = await onePort();
    const { pid } = await squat(port, how as never);
    const { project, runner } = pipelineOf([plain('web', more(port))]);
    await expect(runner.start()).rejects.toThrow(new RegExp(`^component web failed to start: ${taken(port, pid).replace(/[()]/g, '\\$&')}$`));
    expect(project.happened()).toEqual([]);
  });

  it('of another protocol, or at an address that is not loopback, is nobody’s concern', async () => {
    const port = await onePort();
    await squat(port, { protocol: 'udp' });
    await squat(port, { host: '127.0.0.2' });
    const { runner } = pipelineOf([serving('web', port, { ports: [port] })]);
    await runner.start();
    expect(runner.phase).toBe('started');
  });

  it('after a crash: the restart fails by name, is tried again, and succeeds when the port is free', async () => {
    const port = await onePort();
    const { runner, project } = pipelineOf([serving('web', port, { restart_policy: { max_restarts: 100, backoff: { initial: '300ms', max: '300ms' } } })]);
    const squatter = startSquatter(port);
    const details: (string | undefined)[] = [];
    const refused = new Promise<void>((resolve) => runner.events.on('component', ({ state, detail }) => {
      details.push(detail);
      if (state === 'restarting' && detail?.includes('in use')) resolve();
    }));
    await runner.start();
    const got = squatter.listen();
    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    await got;
    await refused;
    expect(details).toContain(`could not be started again: ${taken(port, squatter.pid)}`);
    expect(project.pids()).toHaveLength(1);
    const back = new Promise<void>((resolve) => runner.events.on('component', ({ state }) => void (state === 'healthy' && resolve())));
    await squatter.end();
    await back;
    expect(project.pids().filter(alive)).toHaveLength(1);
  });

  it('after a crash, for good: the component is given up with that reason', async () => {
    const port = await onePort();
    const { runner } = pipelineOf([serving('web', port, { restart_policy: { max_restarts: 1, backoff: { initial: '300ms', max: '300ms' } } })]);
    const squatter = startSquatter(port);
    await runner.start();
    const got = squatter.listen();
    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    await got;
    expect((await runner.done).failure?.message).toBe(`component web could not be started again: ${taken(port, squatter.pid)}`);
  });

  it('restart, scale and up say so, and take nobody along', async () => {
    const [port, other] = (await freePorts(2)) as [number, number];
    const web = serving('web', port, { ports: [{ port: 80, hostPort: port, env: 'PORT' }], health_check: { http: { port: 80, path: '/health' } }, env: {} });
    delete (web.env as Record<string, unknown>)['PORT'];
    const { runner, load, statesOf } = pipelineOf([plain('a'), web]);
    await runner.start();
    const second = await squat(port + 1);
    expect(await runner.scale('web', 2)).toMatchObject({ failed: [`component web-2 failed to start: ${taken(port + 1, second.pid)}`] });
    await second.end();
    expect(await runner.scale('web', 2)).toMatchObject({ failed: [] });
    await runner.scale('web', 1);
    await runner.stopComponent('web');
    const first = await squat(port);
    await expect(runner.restart('web')).rejects.toThrow(taken(port, first.pid));
    const third = await squat(other);
    const { failed } = await runner.reload(load([plain('a'), web, plain('new', { ports: [other] })]));
    expect(failed.toSorted()).toEqual([`component new failed to start: ${taken(other, third.pid)}`, `component web failed to start: ${taken(port, first.pid)}`]);
    expect(statesOf()).toEqual(['a running', 'web failed', 'new failed']);
    await Promise.all([first.end(), third.end()]);
    expect((await runner.reload(load([plain('a'), web, plain('new', { ports: [other] })]))).failed).toEqual([]);
    expect(statesOf()).toEqual(['a running', 'web healthy', 'new running']);
  });

  it('a program that was there before, and takes the port while the component starts, does not answer for it', async () => {
    const port = await onePort();
    const squatter = startSquatter(port);
    const { runner, project } = pipelineOf([plain('mute', { health_check: { http: `http://localhost:${port}/`, start_timeout: '3s' } })]);
    const started = runner.start();
    started.catch(() => {});
    await project.until((happened) => happened.includes('start mute'));
    await squatter.listen();
    await expect(started).rejects.toThrow(`last: port ${port} is answered by another program (pid ${squatter.pid})`);
  });

  it('a check may look at the port of another component', async () => {
    const port = await onePort();
    const { runner, statesOf } = pipelineOf([serving('db', port, { ports: [port] }), plain('sidecar', { depends_on: ['db'], health_check: { tcp: port } })]);
    await runner.start();
    expect(statesOf()).toEqual(['db healthy', 'sidecar healthy']);
  });

  it('a component that hands the port to a program of its own is well', async () => {
    const port = await onePort();
    const serve = `require('node:http').createServer((q, r) => q.url === '/end' ? process.exit() : r.end()).listen(${port}, '127.0.0.1')`;
    const { runner, statesOf } = pipelineOf([{ id: 'daemon', command: ['sh', '-c', `setsid ${process.execPath} -e "${serve}" & exec sleep 60`], health_check: `http://localhost:${port}/` }]);
    await runner.start();
    expect(statesOf()).toEqual(['daemon healthy']);
    await fetch(`http://127.0.0.1:${port}/end`).catch(() => {});
  });
});
