// Health checks of components: what may be written, where they look, and what readiness and liveness do.
import { afterEach, describe, expect, it } from 'vitest';
import { ControlPlane } from '../../src/pipeline/control-plane.js';
import { loadPipeline, parsePipeline } from '../../src/pipeline/parse.js';
import { formatProblem } from '../../src/pipeline/problems.js';
import { ProcessOrchestrator } from '../../src/pipeline/process-orchestrator.js';
import { PipelineRunner } from '../../src/pipeline/runner.js';
import { eventually, freePorts, makeProject, plain, serving, type Part } from './helpers.js';

const open: { kill(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.kill()));
});

const parse = (fields: object) => parsePipeline(JSON.stringify({ apiVersion: 'mimas/v1', kind: 'Pipeline', metadata: { name: 'x' }, spec: { sources: [{ id: 'a', command: ['x'], ...fields }] } }), '/srv/p.yaml', { env: {}, envFiles: [] });
const HTTP = { kind: 'http', host: 'localhost', port: 8443, path: '/health', headers: {} };

describe('what may be written', () => {
  it.each<[string, unknown, object]>([
    ['tcp: a port', { tcp: 5432 }, { kind: 'tcp', host: 'localhost', port: 5432 }],
    ['tcp: host:port', { tcp: 'localhost:5432' }, { kind: 'tcp', host: 'localhost', port: 5432 }],
    ['tcp: [::1]:port', { tcp: '[::1]:5432' }, { kind: 'tcp', host: '::1', port: 5432 }],
    ['tcp: a name and a port', { tcp: 'Db.example:5432' }, { kind: 'tcp', host: 'db.example', port: 5432 }],
    ['http: [::1]', { http: 'http://[::1]:8443/health' }, { ...HTTP, host: '::1' }],
    ['http: headers', { http: { port: 8443, headers: { 'X-A': 1 } } }, { ...HTTP, headers: { 'X-A': '1' } }],
    ['a https URL', 'https://localhost:8443/health', { ...HTTP, tls: { verify: true } }],
    ['http: a https URL', { http: 'https://127.0.0.1/up?x=1' }, { ...HTTP, host: '127.0.0.1', port: 443, path: '/up?x=1', tls: { verify: true } }],
    ['https: a URL', { https: 'https://localhost:8443/health' }, { ...HTTP, tls: { verify: true } }],
    ['https: options', { https: { port: 8443, ca: 'ca.pem', server_name: 'shop.test', verify: true } }, { ...HTTP, tls: { verify: true, ca: '/srv/ca.pem', serverName: 'shop.test' } }],
    ['https: without verification', { https: { port: 8443, verify: false } }, { ...HTTP, tls: { verify: false } }],
  ])('%s', (_name, health_check, expected) => {
    expect(parse({ health_check }).problems).toEqual([]);
    expect(parse({ health_check }).pipeline!.components[0]!.healthCheck!.check).toEqual(expect.objectContaining(expected));
    expect(parse({ liveness_check: health_check }).pipeline!.components[0]!.livenessCheck!.check).toEqual(expect.objectContaining(expected));
  });

  it('success_threshold', () => {
    expect(parse({ health_check: { tcp: 1, success_threshold: 3 } }).pipeline!.components[0]!.healthCheck).toMatchObject({ successThreshold: 3, failureThreshold: 3, onUnhealthy: 'restart' });
  });

  it('with a liveness_check, health_check only reports', () => {
    expect(parse({ health_check: { tcp: 1 }, liveness_check: { exec: 'true' } }).pipeline!.components[0]!.healthCheck!.onUnhealthy).toBe('report');
  });

  it.each<[object, string]>([
    [{ health_check: { tcp: 'localhost' } }, "spec.sources[0].health_check.tcp: 'localhost' is not host:port, such as localhost:5432 or [::1]:5432"],
    [{ health_check: { tcp: 'localhost:99999' } }, 'a: health_check.tcp: 99999 is not a port'],
    [{ health_check: { https: 'http://localhost:1/' } }, "spec.sources[0].health_check.https: 'http://localhost:1/' is not a URL that begins with https://, or a path that begins with /"],
    [{ health_check: 'ftp://localhost/' }, "spec.sources[0].health_check: 'ftp://localhost/' is not a URL that begins with http:// or https://, or a path that begins with /"],
    [{ health_check: { http: { port: 1, ca: 'x' } } }, "spec.sources[0].health_check.http: unknown field 'ca'"],
    [{ health_check: { https: '/up' } }, 'a: health_check.http needs a port, or health_port'],
    [{ health_check: { tcp: 1, success_threshold: 0 } }, 'spec.sources[0].health_check.success_threshold: 0 is not at least 1'],
    [{ liveness_check: { log: 'x' } }, "spec.sources[0].liveness_check: unknown field 'log'"],
    [{ liveness_check: { tcp: { port: 'main' } } }, 'a: no port is called main'],
    [{ health_check: { tcp: 1, on_unhealthy: 'restart' }, liveness_check: { exec: 'true' } }, 'a: health_check.on_unhealthy: restart cannot be combined with liveness_check, which decides about restarts'],
  ])('%o is refused', (fields, message) => {
    expect(parse(fields).problems.map(formatProblem)).toContainEqual(expect.stringContaining(message));
  });
});

async function running(sources: Part[], sinks: Part[] = []) {
  const project = makeProject();
  const journal = (parts: Part[]) => parts.map((part) => ({ ...part, env: { JOURNAL: project.env.JOURNAL, ...part.env } }));
  project.write({ sources: journal(sources), sinks: journal(sinks) });
  const controlPlane = new ControlPlane({ port: 0 });
  const runner = new PipelineRunner(loadPipeline(project.file), { orchestrator: new ProcessOrchestrator(), controlPlane });
  open.push(runner);
  const until = (id: string, wanted: string) => new Promise<string | undefined>((resolve) => {
    const off = runner.events.on('component', ({ id: of, state, detail }) => {
      if (of !== id || state !== wanted) return;
      off();
      resolve(detail);
    });
  });
  return { project, runner, until, registry: controlPlane.registry };
}

const info = (id: string, endpoint: string) => ({ id, name: id, description: '', version: '', type: 'SOURCE' as const, inputEventTypes: [], outputEventTypes: [], endpoint, metadata: {} });
/** It listens, and has been looked at. */
const lookedAt = (port: number) => eventually(() => fetch(`http://127.0.0.1:${port}/asked`).then(async (answer) => Number(await answer.text()) > 0, () => false));
const onePort = async () => (await freePorts(1))[0]!;

describe('readiness and liveness', () => {
  it('a component that is not ready is not started again, and nobody is sent to it until it is', async () => {
    const port = await onePort();
    const { runner, until, registry } = await running(
      [serving('web', port, { health_check: { http: `http://localhost:${port}/health`, interval: '50ms', failure_threshold: 2 }, liveness_check: { tcp: port, interval: '50ms' } })],
      [plain('reader', { inputs: ['web'] })],
    );
    await runner.start();
    registry.register(info('web', 'localhost:1'), 'web');
    expect(registry.discover({})).toMatchObject([{ id: 'web' }]);
    const unready = until('web', 'unhealthy');
    await fetch(`http://127.0.0.1:${port}/sicken`);
    expect(await unready).toMatch(/answered 503$/);
    expect(registry.discover({})).toEqual([]);
    expect(registry.status('web').status).toBe('UNHEALTHY');
    registry.heartbeat('web', 'HEALTHY', {});
    expect(registry.list({ includeUnhealthy: false })).toEqual([]);
    expect(runner.status().components[0]).toMatchObject({ state: 'unhealthy', restarts: 0 });
    const back = until('web', 'healthy');
    await fetch(`http://127.0.0.1:${port}/recover`);
    await back;
    expect(registry.discover({})).toMatchObject([{ id: 'web' }]);
  });

  it.each<[string, object]>([
    ['a running component', {}],
    ['one that is ready', { health_check: { exec: 'true' } }],
  ])('a liveness check that fails starts %s again', async (_name, more) => {
    const port = await onePort();
    const { project, runner, until } = await running([serving('web', port, { health_check: undefined, liveness_check: { http: `http://localhost:${port}/health`, interval: '50ms', failure_threshold: 2 }, ...more })]);
    await runner.start();
    expect(await lookedAt(port)).toBe(true);
    const unwell = until('web', 'unhealthy');
    await fetch(`http://127.0.0.1:${port}/sicken`);
    expect(await unwell).toMatch(/^its liveness check failed: GET .* answered 503$/);
    await project.until((happened) => happened.filter((what) => what === 'start web').length === 2);
    expect(runner.status().components[0]).toMatchObject({ restarts: 1 });
  });

  it('a component that is never alive is started again after start_timeout', async () => {
    const { project, runner, until } = await running([plain('mute', { liveness_check: { exec: 'false', start_timeout: '300ms' } })]);
    const unwell = until('mute', 'unhealthy');
    await runner.start();
    expect(await unwell).toBe('its liveness check failed: health check timeout after 0.3s; last: /bin/sh -c false ended with 1');
    await project.until((happened) => happened.length > 0);
  });

  it('with restart_policy no, a failing liveness check is only told of', async () => {
    const port = await onePort();
    const { runner, until } = await running([serving('web', port, { health_check: undefined, restart_policy: 'no', liveness_check: { http: `http://localhost:${port}/health`, interval: '50ms', failure_threshold: 1 } })]);
    await runner.start();
    expect(await lookedAt(port)).toBe(true);
    const unwell = until('web', 'unhealthy');
    await fetch(`http://127.0.0.1:${port}/sicken`);
    await unwell;
    const back = until('web', 'running');
    await fetch(`http://127.0.0.1:${port}/recover`);
    await back;
    expect(runner.status().components[0]).toMatchObject({ restarts: 0 });
  });

  it('success_threshold: so many passes in a row make it healthy', async () => {
    const port = await onePort();
    const { runner } = await running([serving('web', port, { health_check: { http: `http://localhost:${port}/health`, success_threshold: 3 } })]);
    await runner.start();
    expect(Number(await (await fetch(`http://127.0.0.1:${port}/asked`)).text())).toBe(3);
  });

  it('a component that listens at [::1] alone is healthy by localhost', async () => {
    const port = await onePort();
    const { runner } = await running([serving('web', port, { env: { HOST: '::1' } })]);
    await runner.start();
    expect(runner.status().components[0]).toMatchObject({ state: 'healthy' });
  });
});
