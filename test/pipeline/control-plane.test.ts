// flowctl.v1.ControlPlaneService over real gRPC, asked by a client of its own and by components of a running pipeline.
import { credentials, loadPackageDefinition, Metadata, status as code, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlPlane, CONTROL_PLANE_PROTO } from '../../src/pipeline/control-plane.js';
import { root } from '../helpers/compile.js';
import { asStranger, clientCode, STRANGER } from '../helpers/stranger.js';
import { eventually, makeProject } from './helpers.js';

type Answer = Record<string, unknown> & { components: Record<string, unknown>[] };
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Shows `authorization`, unless there is none. */
function clientFor(port: number | string, authorization?: string, host = 'localhost') {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  const { flowctl } = loadPackageDefinition(loadSync(CONTROL_PLANE_PROTO, { keepCase: true, enums: String, defaults: true })) as never as { flowctl: { v1: { ControlPlaneService: new (address: string, creds: unknown) => Record<string, (request: object, metadata: Metadata, done: (error: ServiceError | null, answer: Answer) => void) => void> & { close(): void } } } };
  const client = new flowctl.v1.ControlPlaneService(`${host}:${port}`, credentials.createInsecure());
  open.push(client);
  return (method: string, request: object = {}) => new Promise<Answer>((resolve, reject) => client[method]!(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))));
}

/** `call` is what the component `ledgers` would do. */
async function serve(options = {}) {
  const plane = new ControlPlane({ port: 0, ...options });
  open.push(plane);
  const port = new URL(await plane.listen({ listen: ['127.0.0.1'], tell: 'localhost' })).port;
  const as = (id: string) => clientFor(port, `Bearer ${plane.tokenOf(id)}`);
  return { plane, port, as, call: as('ledgers') };
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
    const { as } = await serve();
    await expect(as('ghost')(method, { service_id: 'ghost' })).rejects.toMatchObject({ code: code.NOT_FOUND, details: 'service ghost not found' });
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

describe('who may do what', () => {
  const component = { id: 'ledgers', name: 'Ledgers' };
  const WRITES: [string, object][] = [['RegisterComponent', { component, component_id: 'ledgers' }], ['Heartbeat', { service_id: 'ledgers' }], ['UnregisterComponent', { service_id: 'ledgers' }]];
  const READS: [string, object][] = [['GetComponentStatus', { service_id: 'ledgers' }], ['ListComponents', {}], ['DiscoverComponents', {}]];
  const wrong = (right: string): [string, string | undefined][] => [
    ['nothing', undefined], ['an empty one', ''], ['no scheme', right], ['another scheme', `Basic ${right}`], ['no mac', 'Bearer ledgers'], ['an empty mac', 'Bearer ledgers.'],
    ['another mac', `Bearer ${right.slice(0, -1)}${right.endsWith('A') ? 'B' : 'A'}`], ['another id', `Bearer other${right.slice('ledgers'.length)}`], ['something behind it', `Bearer ${right}x`], ['much', `Bearer ${'x'.repeat(7000)}`],
  ];

  it.each([...WRITES, ...READS])('%s is refused to whoever shows no token or a wrong one, and changes nothing', async (method, request) => {
    const { plane, port, call } = await serve();
    await call('RegisterComponent', { component });
    for (const [what, authorization] of [...wrong(plane.tokenOf('ledgers')), ['that of another run', `Bearer ${new ControlPlane().tokenOf('ledgers')}`] as const]) {
      await expect(clientFor(port, authorization)(method, request), what).rejects.toMatchObject({ code: code.UNAUTHENTICATED });
    }
    expect(plane.registry.list()).toHaveLength(1);
    expect(await call('GetComponentStatus', { service_id: 'ledgers' })).toMatchObject({ component, status: 'HEALTH_STATUS_HEALTHY' });
  });

  it.each(WRITES)('%s for another component is refused; every component may read', async (method, request) => {
    const { plane, as, call } = await serve();
    await call('RegisterComponent', { component });
    await expect(as('other')(method, request)).rejects.toMatchObject({ code: code.PERMISSION_DENIED, details: 'component other may not speak for ledgers' });
    expect(plane.registry.list().map(({ info }) => info.id)).toEqual(['ledgers']);
    for (const [read, asked] of READS) await as('other')(read, asked);
  });

  it('who names no id speaks for itself, also by an id that only looks like that of another', async () => {
    const { as, plane } = await serve();
    await as('a.b')('RegisterComponent', {});
    await as('a')('RegisterComponent', { component: { name: 'A' } });
    await as('a')('Heartbeat', { status: 'HEALTH_STATUS_DEGRADED' });
    expect(plane.registry.list().map(({ info, status }) => `${info.id} ${status}`)).toEqual(['a.b HEALTHY', 'a DEGRADED']);
  });

  it('read: anyone lets everybody read, register: anyone everybody register, and neither the other', async () => {
    const readable = await serve({ read: 'anyone' });
    for (const [method, request] of READS.slice(1)) await clientFor(readable.port)(method, request);
    await expect(clientFor(readable.port)(...WRITES[0]!)).rejects.toMatchObject({ code: code.UNAUTHENTICATED });
    const open_ = await serve({ register: 'anyone' });
    for (const [method, request] of WRITES) await clientFor(open_.port)(method, request);
    await expect(clientFor(open_.port)('ListComponents')).rejects.toMatchObject({ code: code.UNAUTHENTICATED });
    // Who shows whom it is remains that one.
    await expect(open_.as('other')(...WRITES[0]!)).rejects.toMatchObject({ code: code.PERMISSION_DENIED });
    expect(() => new ControlPlane({ read: 'all' as never })).toThrow('controlPlane.read must be components, user or anyone, got all');
  });
});

describe('user: programs of the same user', () => {
  const ask = async (run: (code: string) => Promise<unknown>, address: string) => run(`
    const client = ${clientCode(CONTROL_PLANE_PROTO, 'flowctl.v1.ControlPlaneService', address)};
    console.log(JSON.stringify([await client('RegisterComponent', { component_id: 'any' }), await client('Heartbeat', { service_id: 'any' }), await client('ListComponents', {})]));`);

  it.each(['127.0.0.1', '::1', '0.0.0.0', '::'])('may register and read without a token, at %s', async (host) => {
    const plane = new ControlPlane({ port: 0, register: 'user', read: 'user', hosts: [host] });
    open.push(plane);
    const { port } = new URL(await plane.listen({ listen: [], tell: 'localhost' }));
    const to = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    const call = clientFor(port, undefined, to.includes(':') ? `[${to}]` : to);
    expect(await call('RegisterComponent', { component_id: 'any' })).toMatchObject({ service_id: 'any' });
    await call('Heartbeat', { service_id: 'any' });
    expect((await call('ListComponents')).components).toHaveLength(1);
    if (asStranger) expect(await ask(asStranger, `${to.includes(':') ? `[${to}]` : to}:${port}`)).toEqual(Array(3).fill('UNAUTHENTICATED'));
  });

  it('who shows a wrong token is refused all the same', async () => {
    const { port } = await serve({ register: 'user', read: 'user' });
    await expect(clientFor(port, 'Bearer x.y')('ListComponents')).rejects.toMatchObject({ code: code.UNAUTHENTICATED });
  });
});

describe('components of a pipeline', () => {
  it('register and are healthy; who falls silent is unhealthy; ps shows it', async () => {
    const project = makeProject();
    const registering = (id: string, more: object = {}) => ({ id, command: [process.execPath, join(root, 'test/fixtures/pipeline/registering.mjs')], env: { PROTO: CONTROL_PLANE_PROTO, ENDPOINT: `localhost:1${id.length}`, ...more } });
    project.write({ sources: [{ ...registering('talks'), health_check: { log: '^registered' } }], sinks: [{ ...registering('mute', { MUTE: 1 }), inputs: ['talks'] }] });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--control-plane-port', '0', '--control-plane-register', 'anyone', '--control-plane-read', 'anyone', '--heartbeat-ttl', '600ms', '--janitor-interval', '100ms');
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
    expect(run.err()).toContain('warning: --control-plane-register anyone');
  });

  it.skipIf(asStranger === undefined)('a program of another user can neither register, nor read, nor learn a token', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'talks', command: [process.execPath, join(root, 'test/fixtures/pipeline/registering.mjs')], env: { PROTO: CONTROL_PLANE_PROTO }, health_check: { log: '^registered' } }] });
    const run = project.start('run', 'pipeline.yaml', '--plain', '--control-plane-port', '0');
    await run.line('Pipeline started successfully');
    const { endpoint, components } = JSON.parse(project.mimas('ps', '--json').stdout) as { endpoint: string; components: { pid: number; registered?: string }[] };
    expect(components).toMatchObject([{ registered: 'HEALTHY' }]);
    const attack = await asStranger!(`
      const client = ${clientCode(CONTROL_PLANE_PROTO, 'flowctl.v1.ControlPlaneService', new URL(endpoint).host)};
      const answers = {};
      for (const method of ['RegisterComponent', 'Heartbeat', 'UnregisterComponent', 'ListComponents']) answers[method] = await client(method, { service_id: 'talks', component_id: 'talks', component: { name: 'evil', endpoint: 'evil:1' } });
      let environ; try { environ = require('node:fs').readFileSync('/proc/${components[0]!.pid}/environ', 'utf8').length; } catch (error) { environ = error.code; }
      console.log(JSON.stringify({ uid: process.getuid(), answers, environ }));`);
    expect(attack).toEqual({ uid: STRANGER, answers: { RegisterComponent: 'UNAUTHENTICATED', Heartbeat: 'UNAUTHENTICATED', UnregisterComponent: 'UNAUTHENTICATED', ListComponents: 'UNAUTHENTICATED' }, environ: 'EACCES' });
    expect(JSON.parse(project.mimas('ps', '--json').stdout)).toMatchObject({ components: [{ registered: 'HEALTHY' }] });
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });
});
