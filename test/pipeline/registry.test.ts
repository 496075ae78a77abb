// What the control plane knows: registration, heartbeats, silence and recovery, in a time that the test owns.
import { describe, expect, it } from 'vitest';
import { UnitNotFoundError } from '../../src/errors.js';
import { Registry, type ComponentInfo } from '../../src/pipeline/registry.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const info = (id: string, more: Partial<ComponentInfo> = {}): ComponentInfo => ({ id, name: id, description: '', version: '1', type: 'SOURCE', inputEventTypes: [], outputEventTypes: [], endpoint: `localhost:${id.length}`, metadata: {}, ...more });

function setUp() {
  const clock = new FakeClock();
  const changes: string[] = [];
  const registry = new Registry({ clock, inputsOf: (id) => (id === 'sink' ? ['source', 'absent'] : []), onChange: (id, status, from) => changes.push(`${id}: ${from ?? 'none'} → ${status}`) });
  return { clock, registry, changes };
}

describe('registry', () => {
  it('registered is healthy; silent for the TTL is unhealthy; a heartbeat brings it back', async () => {
    const { clock, registry, changes } = setUp();
    registry.register(info('source'), '');
    expect(registry.status('source').status).toBe('HEALTHY');
    await clock.advance(29_000);
    expect(registry.status('source').status).toBe('HEALTHY');
    await clock.advance(12_000);
    expect(registry.status('source').status).toBe('UNHEALTHY');
    registry.heartbeat('source', 'UNKNOWN', {});
    expect(registry.status('source').status).toBe('HEALTHY');
    expect(changes).toEqual(['source: none → HEALTHY', 'source: HEALTHY → UNHEALTHY', 'source: UNHEALTHY → HEALTHY']);
  });

  it('silence shows when it is asked for, whenever the janitor comes', async () => {
    const clock = new FakeClock();
    const registry = new Registry({ clock, ttl: 1_000, janitorInterval: 3_600_000, inputsOf: () => ['source'] });
    registry.register(info('source'), '');
    await clock.advance(1_001);
    expect(registry.status('source').status).toBe('UNHEALTHY');
    expect([registry.get('source')?.status, registry.list({ includeUnhealthy: false }), registry.discover({}), registry.register(info('sink'), '').connections]).toEqual(['UNHEALTHY', [], [], {}]);
    registry.heartbeat('source', 'UNKNOWN', {});
    expect(registry.status('source').status).toBe('HEALTHY');
  });

  it('who is not ready counts as unhealthy, whatever it says of itself', () => {
    const { registry } = setUp();
    registry.register(info('source'), '');
    registry.setReady('source', false);
    registry.heartbeat('source', 'HEALTHY', {});
    expect([registry.status('source').status, registry.discover({}), registry.register(info('sink'), '').connections]).toEqual(['UNHEALTHY', [], {}]);
    registry.setReady('source', true);
    expect(registry.status('source').status).toBe('HEALTHY');
  });

  it('a heartbeat with UNKNOWN keeps the status and merges metrics; any other says the status', () => {
    const { registry } = setUp();
    registry.register(info('source'), '');
    registry.heartbeat('source', 'DEGRADED', { a: '1', b: '1' });
    registry.heartbeat('source', 'UNKNOWN', { b: '2' });
    expect(registry.status('source')).toMatchObject({ status: 'DEGRADED', metrics: { a: '1', b: '2' } });
  });

  it('heartbeats of who said unhealthy themselves do not make them healthy', async () => {
    const { clock, registry } = setUp();
    registry.register(info('source'), '');
    registry.heartbeat('source', 'UNHEALTHY', {});
    await clock.advance(60_000);
    registry.heartbeat('source', 'UNKNOWN', {});
    expect(registry.status('source').status).toBe('UNHEALTHY');
  });

  it('an unknown id is an error', () => {
    const { registry } = setUp();
    expect(() => registry.heartbeat('ghost', 'HEALTHY', {})).toThrow(new UnitNotFoundError('service ghost not found', { id: 'ghost' }));
    expect(() => registry.status('ghost')).toThrow('service ghost not found');
    expect(() => registry.unregister('ghost')).toThrow('service ghost not found');
  });

  it('the id of the variable wins; topics and the endpoints of inputs are told', () => {
    const { registry } = setUp();
    expect(registry.register(info('anything', { outputEventTypes: ['ledger'], endpoint: 'localhost:1' }), 'source')).toEqual({ serviceId: 'source', topics: ['ledger.v1'], connections: {} });
    expect(registry.register(info('sink'), '').connections).toEqual({ source: 'localhost:1' });
  });

  it('discovery: any of the event types, all of the metadata, healthy ones only', () => {
    const { registry } = setUp();
    registry.register(info('a', { outputEventTypes: ['x'], metadata: { zone: '1', tier: 'hot' } }), '');
    registry.register(info('b', { inputEventTypes: ['y'], type: 'PROCESSOR', metadata: { zone: '1' } }), '');
    registry.register(info('c', { inputEventTypes: ['x', 'y'], type: 'CONSUMER' }), '');
    registry.heartbeat('c', 'UNHEALTHY', {});
    const ids = (query: Parameters<Registry['discover']>[0]) => registry.discover(query).map(({ id }) => id);
    expect([ids({}), ids({ eventTypes: ['x', 'y'] }), ids({ type: 'PROCESSOR' }), ids({ metadata: { zone: '1', tier: 'hot' } })]).toEqual([['a', 'b'], ['a', 'b'], ['b'], ['a']]);
    expect(registry.list({ includeUnhealthy: false })).toHaveLength(2);
    expect(registry.list()).toHaveLength(3);
  });
});
