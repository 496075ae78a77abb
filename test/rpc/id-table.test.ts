// What is under way, by number: against a Map, whatever order things settle in.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdTable } from '#mimas/rpc/id-table.js';

describe('IdTable', () => {
  it('holds what a Map holds, for ascending numbers that leave in any order', () => {
    const operation = fc.tuple(fc.constantFrom('add', 'add', 'take', 'get', 'set'), fc.nat(400), fc.nat(3));
    fc.assert(fc.property(fc.array(operation, { maxLength: 600 }), fc.constantFrom(1, 2 ** 31 - 40, 2 ** 40), (operations, start) => {
      const table = new IdTable<{ id: number }>();
      const model = new Map<number, { id: number }>();
      let next = start + 1;
      for (const [what, pick, gap] of operations) {
        const known = [...model.keys()][pick % Math.max(1, model.size)] ?? start;
        if (what === 'add') {
          next += 1 + gap;
          const value = { id: next };
          table.add(next, value);
          model.set(next, value);
        } else if (what === 'set') {
          const value = { id: known };
          table.set(known, value);
          model.set(known, value);
        } else if (what === 'take') {
          expect(table.take(known)).toBe(model.get(known));
          model.delete(known);
          expect(table.take(known)).toBeUndefined();
        } else expect(table.get(known)).toBe(model.get(known));
        expect(table.size).toBe(model.size);
      }
      expect(table.values()).toEqual([...model.values()].sort((a, b) => a.id - b.id));
      table.clear();
      expect([table.size, table.values()]).toEqual([0, []]);
    }));
  });

  it('keeps a few slow ones aside while a million others come and go', () => {
    const table = new IdTable<{ id: number }>();
    for (const id of [1, 17, 33]) table.add(id, { id });
    const wrong: number[] = [];
    for (let id = 34; id < 1_000_034; id++) {
      table.add(id, { id });
      if (id >= 44 && table.take(id - 10)?.id !== id - 10) wrong.push(id - 10);
    }
    expect(wrong).toEqual([]);
    expect(table.values().map((value) => value.id)).toEqual([1, 17, 33, ...Array.from({ length: 10 }, (_, i) => 1_000_024 + i)]);
  });
});
