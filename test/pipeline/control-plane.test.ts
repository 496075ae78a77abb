// flowctl.v1.ControlPlaneService over real gRPC, asked by a client of its own and by components of a running pipeline.
import { credentials, loadPackageDefinition, status as code, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlPlane, CONTROL_PLANE_PROTO } from '../../src/pipeline/control-plane.js';
import { root } from '../helpers/compile.js';
import { eventually, makeProject } from './helpers.js';

type Answer = Record<string, unknown> & { components: Record<string, unknown>[] };
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function clientFor(port: number | string) {
  const { flowctl } = loadPackageDefinition(loadSync(CONTROL_PLANE_PROTO, { keepCase: true, enums: String, defaults: true })) as never as { flowctl: { v1: { ControlPlaneService: new (address: string, creds: unknown) => Record<string, (request: object, done: (error: ServiceError | null, answer: Answer) => void) => void> & { close(): void } } } };
  const client = new flowctl.v1.ControlPlaneService(`localhost:${port}`, credentials.createInsecure());
  open.push(client);
  return (method: string, request: object = {}) => new Promise<Answer>((resolve, reject) => client[method]!(request, (error, answer) => (error ? reject(error) : resolve(answer))));
}

async function serve(options = {}) {
  const plane = new ControlPlane({ port: 0, ...options });
  open.push(plane);
  const port = new URL(await plane.listen({ listen: ['127.0.0.1'], tell: 'localhost' })).port;
  return { plane, port, call: clientFor(port) };
}

describe('control plane', () => {
  it('register, heartbeat, status, list, discover, unregister', async () => {
    const { call } = await serve();
    const component = { id: 'ledgers', name: 'Ledgers', type: 'COMPONENT_TYPE_SOURCE', output_event_types: ['ledger'], endpoint: 'localhost:50051', metadata: { zone: 'eu' } };
    expect(await call('RegisterComponent', { component })).toEqual({ service_id: 'ledgers', assigned_topics: ['ledger.v1'], connection_info: {} });
    expect(await call('Heartbeat', { service_id: 'ledgers', status: 'HEALTH_STATUS_DEGRADED', metrics: { lag: '3' } })).toEqual({});
    expect(await call('GetComponentStatus', { service_id: 'ledgers' })).toMatchObject({ component: { ...component, description: '' }, status: 'HEALTH_STATUS_DEGRADED', metrics: { lag: '3' }, registered_at: { seconds: expect.anything() } });
    expect((await call('ListComponents')).components).toHaveLength(1);
    expect((await call('DiscoverComponents', { event_types: ['ledger', 'other'], metadata_filters: { zone: 'eu' } })).components).toMatchObject([{ id: 'ledgers' }]);
    expect((await call('DiscoverComponents', { metadata_filters: { zone: 'us' } })).components).toEqual([]);
    await call('UnregisterComponent', { service_id: 'ledgers' });
    expect((await call('ListComponents', { include_unhealthy: true })).components).toEqual([]);
  });

  it.each(['Heartbeat', 'GetComponentStatus', 'UnregisterComponent'])('%s of an unknown id is NOT_FOUND', async (method) => {
    const { call } = await serve();
    await expect(call(method, { service_id: 'ghost' })).rejects.toMatchObject({ code: code.NOT_FOUND, details: 'service ghost not found' });
  });

  it('answers reflection', async () => {
    const { port } = await serve();
    const { loadSync: load } = await import('@grpc/proto-loader');
    const definition = loadPackageDefinition(load(join(root, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'), {})) as never as { grpc: { reflection: { v1: { ServerReflection: new (address: string, creds: unknown) => { serverReflectionInfo(): NodeJS.EventEmitter & { write(request: object): void; end(): void }; close(): void } } } } };
    const client = new definition.grpc.reflection.v1.ServerReflection(`127.0.0.1:${port}`, credentials.createInsecure());
    open.push(client);
    const stream = client.serverReflectionInfo();
    const answer = await new Promise<{ listServicesResponse: { service: { name: string }[] } }>((resolve) => {
      stream.on('data', resolve);
      // It is cut off when the control plane closes.
      stream.on('error', () => {});
      stream.write({ listServices: '' });
    });
    stream.end();
    expect(answer.listServicesResponse.service.map(({ name }) => name)).toContain('flowctl.v1.ControlPlaneService');
  });

  it('a port that is taken is an error, or another one is taken when that is allowed', async () => {
    const taken = createServer();
    open.push(taken);
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    await expect(serve({ port })).rejects.toThrow(`the control plane cannot listen on 127.0.0.1:${port}`);
    expect((await serve({ port, elsewhere: true })).port).not.toBe(String(port));
  });
});

describe('components of a pipeline', () => {
  it('register and are healthy; who falls silent is unhealthy; ps shows it', async () => {
    const project = makeProject();
    const registering = (id: string, more: object = {}) => ({ id, command: [process.execPath, join(root, 'test/fixtures/pipeline/registering.mjs')], env: { PROTO: CONTROL_PLANE_PROTO, ENDPOINT: `localhost:1${id.length}`, ...more } });
    project.write({ sources: [{ ...registering('talks'), health_check: { log: '^registered' } }], sinks: [{ ...registering('mute', { MUTE: 1 }), inputs: ['talks'] }] });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--control-plane-port', '0', '--heartbeat-ttl', '600ms', '--janitor-interval', '100ms');
    await run.line('Pipeline started successfully');
    const seen = () => {
      const { components, endpoint } = JSON.parse(project.mimas('ps', '--json').stdout) as { endpoint: string; components: { id: string; registered?: string }[] };
      return { endpoint, states: components.map(({ id, registered }) => `${id} ${registered}`) };
    };
    expect(await eventually(() => seen().states.join() === 'talks HEALTHY,mute UNHEALTHY')).toBe(true);
    expect(project.log('mute')).toBe(`registered mute with inputs ${JSON.stringify({ talks: 'localhost:15' })}\n`);
    const call = clientFor(new URL(seen().endpoint).port);
    await call('Heartbeat', { service_id: 'mute' });
    expect((await call('GetComponentStatus', { service_id: 'mute' }))['status']).toBe('HEALTH_STATUS_HEALTHY');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});
