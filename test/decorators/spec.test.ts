// What processSpecOf reads back, from classes compiled in either flavour against the built package: so across two copies of it.
import { describe, expect, it } from 'vitest';
import { processSpecOf } from '../../src/decorators/index.js';
import { InvalidProcessError } from '../../src/errors.js';
import { flavours } from './flavours.js';

describe.each(flavours)('$flavour decorators', ({ good, hiding }) => {
  it('say everything about a process', () => {
    const spec = processSpecOf(good['everything']!())!;
    expect(spec).toMatchObject({ name: 'calculator', version: '1.2.3', description: 'adds' });
    expect([...spec.methods.values()]).toEqual([
      { name: 'add', stream: false },
      { name: 'slow', timeout: 30_000, idempotent: true, concurrency: 2, stream: false },
      { name: 'countTo', stream: true },
      { name: 'letters', stream: true },
      { name: 'disk', stream: false },
    ]);
    expect(spec.healthChecks).toEqual([{ method: 'health', interval: 5000, timeout: 250 }, { method: 'disk' }]);
    expect(spec.shutdownHooks).toEqual(['flush', 'close']);
  });

  it('name the process after its class', () => {
    expect(processSpecOf(good['unnamed']!())).toEqual({ name: 'Counter', methods: new Map(), healthChecks: [], shutdownHooks: [] });
    expect(processSpecOf(good['unnamedBase']!())!.name).toBe('Leaf');
  });

  it('make no process of a class without @Process', () => {
    expect(processSpecOf(good['undecorated']!())).toBeUndefined();
    for (const value of [undefined, null, 1, {}, () => 1]) expect(processSpecOf(value)).toBeUndefined();
  });

  it('are inherited, the nearest options counting as a whole', () => {
    const { Base, Middle, Leaf } = good['inherited']!() as Record<string, unknown>;
    const base = processSpecOf(Base)!;
    const middle = processSpecOf(Middle)!;
    const leaf = processSpecOf(Leaf)!;
    expect(base.methods.get('add')).toEqual({ name: 'add', timeout: 1000, idempotent: true, stream: false });
    expect(base.shutdownHooks).toEqual(['first']);
    expect(middle).toMatchObject({ name: 'base', version: '1.0.0', shutdownHooks: ['first', 'second'] });
    expect(middle.methods.get('add')).toEqual({ name: 'add', timeout: 2000, stream: false });
    expect(leaf).toMatchObject({ name: 'leaf', shutdownHooks: ['first', 'second', 'third'], healthChecks: [{ method: 'health' }] });
    expect(leaf.version).toBeUndefined();
    expect([...leaf.methods.keys()]).toEqual(['add', 'keep', 'plain', 'own']);
  });

  it('keep the door open when a subclass overrides without decorating, and see what the override is', () => {
    const { Middle } = good['inherited']!() as Record<string, unknown>;
    expect(processSpecOf(Middle)!.methods.get('plain')).toEqual({ name: 'plain', stream: true });
  });

  it('do not leak from one subclass into another', () => {
    const { Left, Right } = good['siblings']!() as Record<string, unknown>;
    expect([...processSpecOf(Left)!.methods.keys()]).toEqual(['shared', 'left']);
    expect([...processSpecOf(Right)!.methods.keys()]).toEqual(['shared', 'right']);
  });

  it('survive other decorators that wrap the method or replace the class', () => {
    expect([...processSpecOf(good['wrapped']!())!.methods.keys()].sort()).toEqual(['inside', 'outside']);
    expect(processSpecOf(good['replaced']!())).toMatchObject({ name: 'replaced', methods: new Map([['add', { name: 'add', stream: false }]]) });
  });

  it('take an undefined option for an absent one, and Infinity for no limit', () => {
    expect([...processSpecOf(good['undefinedOptions']!())!.methods.values()]).toEqual([{ name: 'add', stream: false }]);
    expect(processSpecOf(good['forever']!())!.methods.get('wait')!.timeout).toBe(Infinity);
  });

  it('refuse a subclass that hides a decorated method behind an accessor', () => {
    const Leaf = hiding['getter']!();
    expect(() => processSpecOf(Leaf)).toThrow(InvalidProcessError);
    expect(() => processSpecOf(Leaf)).toThrow('Leaf.add is decorated in a base class, but here it is no method');
  });
});

it.each([[0, 1], [1, 0]] as const)('a subclass in one flavour extends a base in the other (%i, %i)', (one, other) => {
  const { Middle } = flavours[one]!.good['inherited']!() as Record<string, unknown>;
  const spec = processSpecOf(flavours[other]!.subclass(Middle))!;
  expect(spec.name).toBe('mixed');
  expect([...spec.methods.keys()]).toEqual(['add', 'keep', 'plain', 'extra']);
  expect(spec.methods.get('keep')).toEqual({ name: 'keep', timeout: 5, stream: false });
  expect(spec.methods.get('add')!.timeout).toBe(2000);
});
