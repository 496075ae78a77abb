// What is due when, for any number of keys, with a single timer: armed for the earliest entry, none while the queue is empty.
// A key stands in the queue once; adding it again can only bring it forward.
import { Heap } from '../heap.js';
import { MAX_TIMEOUT } from '../units.js';
import type { Clock, Timer } from './clock.js';

export interface WorkQueueOptions<Key> {
  clock: Clock;
  /** Called once for each entry whose time has come; the entry is out of the queue by then. */
  onDue: (key: Key) => void;
  /** Called after each change of the number of entries. */
  onDepth?: (depth: number) => void;
  /** Do not keep the program alive for what waits here. */
  unref?: boolean;
}

interface Entry<Key> { readonly key: Key; dueAt: number; order: number; place: number }

export class WorkQueue<Key> {
  readonly #options: WorkQueueOptions<Key>;
  readonly #heap = new Heap<Entry<Key>>((a, b) => a.dueAt - b.dueAt || a.order - b.order);
  readonly #entries = new Map<Key, Entry<Key>>();
  #order = 0;
  #timer: Timer | undefined;
  #armedFor = Infinity;

  constructor(options: WorkQueueOptions<Key>) {
    this.#options = options;
  }

  get depth(): number {
    return this.#heap.size;
  }

  /** When `key` is due, or undefined when it does not wait here. */
  dueAt(key: Key): number | undefined {
    return this.#entries.get(key)?.dueAt;
  }

  /** Makes `key` due in `delay` ms, unless it is due earlier already. An infinite delay is never due and not kept. */
  add(key: Key, delay: number): boolean {
    const dueAt = this.#options.clock.now() + Math.max(0, delay);
    if (dueAt === Infinity) return false;
    const known = this.#entries.get(key);
    if (known) {
      if (known.dueAt <= dueAt) return false;
      known.dueAt = dueAt;
      this.#heap.push(known);
    } else {
      const entry: Entry<Key> = { key, dueAt, order: this.#order++, place: -1 };
      this.#entries.set(key, entry);
      this.#heap.push(entry);
      this.#options.onDepth?.(this.depth);
    }
    this.#arm();
    return true;
  }

  delete(key: Key): boolean {
    const entry = this.#entries.get(key);
    if (!entry) return false;
    this.#entries.delete(key);
    this.#heap.remove(entry);
    if (this.#heap.size === 0) this.#disarm();
    this.#options.onDepth?.(this.depth);
    return true;
  }

  clear(): void {
    this.#entries.clear();
    this.#heap.clear();
    this.#disarm();
    this.#options.onDepth?.(0);
  }

  /** A timer that fires too early (its entry was taken out) arms the next one: cheaper than re-arming at each removal. */
  #arm(): void {
    const next = this.#heap.peek();
    if (next === undefined || next.dueAt >= this.#armedFor) return;
    this.#disarm();
    this.#armedFor = next.dueAt;
    const wait = Math.min(MAX_TIMEOUT, Math.ceil(next.dueAt - this.#options.clock.now()));
    this.#timer = this.#options.clock.setTimeout(() => this.#fire(), wait, { unref: this.#options.unref });
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Infinity;
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#options.clock.now();
    try {
      for (let next = this.#heap.peek(); next !== undefined && next.dueAt <= now; next = this.#heap.peek()) {
        this.#heap.pop();
        this.#entries.delete(next.key);
        this.#options.onDepth?.(this.depth);
        this.#options.onDue(next.key);
      }
    } finally {
      this.#armedFor = Infinity;
      this.#disarm();
      this.#arm();
    }
  }
}
