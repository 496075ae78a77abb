// Thread side of piscina and tinypool: named tasks.
import { add as sum } from '../lib/work.mjs';

export const add = ([a, b]) => sum(a, b);
export const echo = (value) => value;
