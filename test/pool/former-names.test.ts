// Who comes from Titan PM is told what to write for each of its options and strategies, and what is told exists.
import { describe, expect, it } from 'vitest';
import { SPAWN_OPTIONS } from '../../src/manager/options.js';
import { FORMER_OPTIONS, FORMER_STRATEGIES } from '../../src/pool/former-names.js';
import { POOL_OPTIONS } from '../../src/pool/options.js';
import { resolveStrategy } from '../../src/pool/strategy.js';

const TITAN_OPTIONS = ['maxQueueSize', 'requestTimeout', 'recycleAfter', 'maxLifetime', 'warmup', 'memoryLimit', 'memoryWarningThreshold', 'spawnOptions', 'spawnOptionsFactory', 'healthCheck', 'autoScale', 'circuitBreaker', 'metrics', 'replaceUnhealthy', 'maxConcurrency', 'heartbeat'];
const TITAN_STRATEGIES = ['round-robin', 'least-loaded', 'least-connections', 'weighted-round-robin', 'least-response-time', 'ip-hash', 'random', 'weighted', 'adaptive', 'power-of-two', 'latency', 'consistent-hash'];

describe('options', () => {
  it.each(TITAN_OPTIONS)('%s is explained by options that there are', (option) => {
    const told = FORMER_OPTIONS[option]!;
    const named = [...told.matchAll(/write (\w+)|or (\w+): \{|(\w+) (?:keeps|replaces|is how)|after (\w+)/g)].flatMap((match) => match.slice(1).filter(Boolean)).filter((name) => name !== 'them' && name !== 'memory');
    expect(told).toMatch(/^(?:write|leave it out)/);
    for (const name of named) expect([...POOL_OPTIONS, ...SPAWN_OPTIONS]).toContain(name);
  });

  it('none of them is an option here', () => {
    expect(Object.keys(FORMER_OPTIONS).filter((option) => [...POOL_OPTIONS, ...SPAWN_OPTIONS].includes(option))).toEqual([]);
  });
});

describe('strategies', () => {
  it.each(TITAN_STRATEGIES)('%s is one, or is explained by one', (strategy) => {
    const told = FORMER_STRATEGIES[strategy];
    const names = told === undefined ? [strategy] : [...told.matchAll(/'([a-z-]+)'/g)].map(([, name]) => name!);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(resolveStrategy(name as never).name).toBe(name);
    if (told !== undefined) expect(() => resolveStrategy(strategy as never)).toThrow(told);
  });
});
