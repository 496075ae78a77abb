// Chance that can be had again: all of it comes from one number.

export interface Chance {
  /** A whole number below `n`. */
  below(n: number): number;
  of<T>(list: readonly T[]): T;
}

/** mulberry32 */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { below: (n) => Math.floor(next() * n), of: (list) => list[Math.floor(next() * list.length)]! };
}

/** Given by `MIMAS_SEED`, or a new one. */
export const newSeed = (): number => Number(process.env['MIMAS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
