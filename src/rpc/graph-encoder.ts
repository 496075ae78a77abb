// Flattens any cloneable value into a table (graph-table.ts) without recursion, each object once.
// Nothing is copied, detached or exported before the whole value is known to be cloneable: that is `finish`.
import { types } from 'node:util';
import { FrameTooLargeError, isError } from '../errors.js';
import { OPAQUE, canMove, copyOfBuffer, flattenBuffer, flattenView, isDetached, isShareable, moveBuffer, mustMove, placeOf, shareHint } from './graph-host.js';
import { Node, weightOfNode } from './graph-table.js';
import { liveKind, type LiveKind, type LiveReferences, type Transferable } from './live.js';
import { ATTACH_BYTES } from './plain-writer.js';
import { describe, notCloneable, pathOf, type Place } from './uncloneable.js';
import { WEIGHT_PER_BYTE } from './weight.js';
import { errorToWire } from './wire-error.js';

export interface GraphOptions {
  readonly level: 'objects' | 'bytes';
  readonly maxDepth: number;
  readonly maxFrame: number;
  readonly live: LiveReferences | undefined;
  readonly transfer: readonly unknown[];
  readonly root: string;
  readonly redact: boolean;
}

/** What is still to be filled in. `lenient`: below an error, where what cannot be cloned becomes its description. */
interface Pending { value: object; node: unknown[]; place: Place; depth: number; lenient: boolean }
interface Export { value: object; kind: LiveKind; node: unknown[]; place: Place }

export class GraphEncoder {
  readonly table: unknown[] = [undefined];
  /** Sizes of the attachments, in bytes. */
  attachedBytes = 0;
  private readonly attachments: unknown[] = [];
  private readonly memo = new Map<object, number>();
  private readonly queue: Pending[] = [];
  private readonly exports: Export[] = [];
  private readonly moved: Set<unknown>;

  constructor(private readonly options: GraphOptions) {
    this.moved = new Set(options.transfer.map((item) => (ArrayBuffer.isView(item) ? item.buffer : item)));
  }

  flatten(value: unknown): void {
    const root: Place = { parent: undefined, key: this.options.root };
    for (const item of this.moved) this.checkMove(item);
    this.table[0] = this.encodeAt(value, root, 0, false);
    for (let next = 0; next < this.queue.length; next++) this.fill(this.queue[next]!);
  }

  private checkMove(item: unknown): void {
    const place: Place = { parent: undefined, key: 'transfer' };
    if (types.isArrayBuffer(item) && isDetached(item)) throw notCloneable(item, place, 'it was transferred already');
    if (!canMove(item as object)) throw notCloneable(item, place, types.isSharedArrayBuffer(item) ? 'shared memory stays where it is; leave it out of the list' : 'nothing but buffers, ports and streams can be moved');
  }

  /** What its nodes take beside the lists that they are made of. */
  get weight(): number {
    let weight = 0;
    for (let index = 1; index < this.table.length; index++) weight += weightOfNode(this.table[index] as unknown[]);
    return weight;
  }

  get hasLive(): boolean {
    return this.exports.length > 0;
  }

  /** Describes the live things into the table, which then has to be packed again. */
  exportLive(): void {
    for (const { value, kind, node, place } of this.exports) {
      if (kind === 'function' && place.key === 'then') throw notCloneable(value, place, 'a function of that name would make a promise of what holds it over there; give it another name');
      node.push(this.options.live!.exportLive(value, kind, pathOf(place)));
    }
  }

  /** Takes the attachments: copies what stays with the caller, moves what was named in `transfer`. */
  finish(): { attachments: unknown[] | undefined; transfer: Transferable[] | undefined } {
    const objects = this.options.level === 'objects';
    const transfer: unknown[] = [];
    // Moved at once, not when the message leaves: what the sender does to the buffer after the call must not be seen.
    const arrived = new Map<unknown, ArrayBuffer>();
    for (const item of this.moved) {
      if (types.isArrayBuffer(item)) arrived.set(item, moveBuffer(item));
      else if (objects) transfer.push(item);
    }
    const attachments = this.attachments.map((item) => {
      if (!types.isArrayBuffer(item)) return item;
      const own = arrived.get(item) ?? copyOfBuffer(item);
      if (!objects) return new Uint8Array(own);
      transfer.push(own);
      return own;
    });
    return { attachments: attachments.length > 0 ? attachments : undefined, transfer: transfer.length > 0 ? (transfer as Transferable[]) : undefined };
  }

  private encode(value: unknown, parent: Pending, key: string | number, ready = false): unknown {
    if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return value;
    if (value === null) return null;
    const place: Place = ready ? { parent: parent.place, key, ready } : { parent: parent.place, key };
    if (!parent.lenient) return this.encodeAt(value, place, parent.depth, false);
    if (typeof value === 'function' || typeof value === 'symbol') return `[${describe(value)}]`;
    try {
      return this.encodeAt(value, place, parent.depth, true);
    } catch (error) {
      if (error instanceof FrameTooLargeError) throw error;
      return `[${describe(value)}]`;
    }
  }

  private encodeAt(value: unknown, place: Place, depth: number, lenient: boolean): unknown {
    if (typeof value === 'symbol') throw notCloneable(value, place);
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value;
    const known = this.memo.get(value);
    if (known !== undefined) return [known];
    const node = this.nodeOf(value, { value, node: [], place, depth: depth + 1, lenient });
    return [this.add(node, value)];
  }

  private add(node: unknown[], value?: object): number {
    const index = this.table.push(node) - 2;
    if (value !== undefined) this.memo.set(value, index);
    return index;
  }

  /** The node of an object not met before; containers are queued to be filled. @throws NotCloneableError */
  private nodeOf(value: object, pending: Pending): unknown[] {
    const { place, lenient } = pending;
    if (typeof value === 'function' || (value as Record<symbol, unknown>)[Symbol.for('mimas.remote')] !== undefined) return this.live(value, liveKind(value)!, place);
    if (Array.isArray(value)) return this.container(pending);
    if (ArrayBuffer.isView(value)) return this.view(value, pending);
    if (types.isArrayBuffer(value)) return this.buffer(value, place);
    if (isError(value)) return this.container(pending);
    if (types.isDate(value)) return [Node.DATE, Date.prototype.getTime.call(value)];
    if (types.isMap(value) || types.isSet(value) || types.isArgumentsObject(value)) return this.container(pending);
    if (types.isRegExp(value)) return [Node.REGEXP, value.source, value.flags];
    if (types.isBoxedPrimitive(value) && !types.isSymbolObject(value)) return [Node.BOX, (value as { valueOf(): unknown }).valueOf()];
    const prototype: unknown = Object.getPrototypeOf(value);
    const kind = liveKind(value);
    if (kind !== undefined && !lenient) return this.live(value, kind, place);
    if (kind !== undefined || isRefused(value)) throw notCloneable(value, place);
    if (prototype !== Object.prototype && prototype !== null && isShareable(value)) return this.shareable(value, place);
    return this.container(pending);
  }

  private container(pending: Pending): unknown[] {
    if (pending.depth > this.options.maxDepth) throw notCloneable(pending.value, pending.place, `it is nested deeper than ${this.options.maxDepth} levels`);
    this.queue.push(pending);
    return pending.node;
  }

  private live(value: object, kind: LiveKind, place: Place): unknown[] {
    if (!this.options.live) throw notCloneable(value, place, kind === 'signal' ? 'pass it as the `signal` of the call' : undefined);
    const node: unknown[] = [Node.LIVE, kind];
    this.exports.push({ value, kind, node, place });
    return node;
  }

  private shareable(value: object, place: Place): unknown[] {
    if (this.options.level === 'bytes') throw notCloneable(value, place, shareHint(value));
    if (mustMove(value) && !this.moved.has(value)) throw notCloneable(value, place, 'name it in the transfer list: `transfer(value, [it])`');
    return [Node.ATTACHED, this.attachments.push(value) - 1];
  }

  private buffer(value: ArrayBuffer, place: Place): unknown[] {
    if (isDetached(value)) throw notCloneable(value, place, 'its memory was transferred away');
    const { size, max } = flattenBuffer(value);
    this.attachedBytes += size;
    if (this.attachedBytes > this.options.maxFrame) throw tooLarge({ size: this.attachedBytes }, this.options.maxFrame);
    const moved = this.moved.has(value);
    if (value.byteLength < ATTACH_BYTES && !(moved && this.options.level === 'objects')) return [Node.BUFFER, new Uint8Array(value), max];
    const index = this.attachments.push(value) - 1;
    return [Node.ATTACHED_BUFFER, index, max];
  }

  private view(value: ArrayBufferView, pending: Pending): unknown[] {
    const { place } = pending;
    const { index, buffer, offset, length, own } = flattenView(value);
    if (own) {
      this.moved.delete(placeOf(value).buffer); // Node's pool cannot be moved: half the program lives on it
      return [Node.VIEW, index, [this.add(this.buffer(buffer as ArrayBuffer, place))], offset, length];
    }
    const moveBuffer = this.moved.has(buffer);
    const { byteOffset, byteLength } = placeOf(value);
    if (Buffer.isBuffer(value) && byteLength < buffer.byteLength && !moveBuffer) {
      const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
      return [Node.VIEW, index, [this.add(this.buffer(bytes, place))], 0, length];
    }
    const known = this.memo.get(buffer);
    const at = known ?? this.add(types.isSharedArrayBuffer(buffer) ? this.shareable(buffer, place) : this.buffer(buffer as ArrayBuffer, place), buffer);
    return [Node.VIEW, index, [at], offset, length];
  }

  private fill(pending: Pending): void {
    const { value, node } = pending;
    if (Array.isArray(value)) this.fillArray(value, pending);
    else if (types.isMap(value)) {
      node.push(Node.MAP);
      let index = 0;
      Map.prototype.forEach.call(value, (item, key) => {
        const text = typeof key === 'object' || typeof key === 'symbol' || typeof key === 'function' ? `#${index}` : typeof key === 'string' ? JSON.stringify(key) : String(key);
        node.push(this.encode(key, pending, `.keys()[${index++}]`, true), this.encode(item, pending, `.get(${text})`, true));
      });
    } else if (types.isSet(value)) {
      node.push(Node.SET);
      let index = 0;
      Set.prototype.forEach.call(value, (item) => node.push(this.encode(item, pending, `.values()[${index++}]`, true)));
    } else if (isError(value)) {
      const below = { ...pending, lenient: true };
      const encode = (child: unknown, key: string) => this.encode(child, below, key);
      node.push(Node.ERROR, ...errorToWire(value, { encode, redact: this.options.redact }));
    } else {
      node.push(Node.OBJECT);
      this.fillKeys(value, Object.keys(value), pending);
    }
  }

  private fillArray(value: unknown[], pending: Pending): void {
    const { node } = pending;
    const { length } = value;
    const keys = Object.keys(value);
    if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) {
      node.push(Node.ARRAY);
      for (let i = 0; i < length; i++) node.push(this.encode(value[i], pending, i));
      return;
    }
    node.push(Node.SPARSE, length);
    this.fillKeys(value, keys, pending, length);
  }

  private fillKeys(value: object, keys: readonly string[], pending: Pending, arrayLength = 0): void {
    const { node, lenient } = pending;
    const source = value as Record<string, unknown>;
    for (const key of keys) {
      if (key === '__proto__') continue;
      const index = arrayLength > 0 ? Number(key) : NaN;
      const isIndex = index >= 0 && index < arrayLength && String(index) === key;
      let child: unknown;
      try {
        child = source[key];
      } catch (error) {
        if (!lenient) throw error;
        child = '[a getter that threw]';
      }
      node.push(isIndex ? index : key, this.encode(child, pending, isIndex ? index : key));
    }
  }
}

/** Deno has none, and not the function. */
const isExternal = (value: object): boolean => types.isExternal?.(value) ?? false;

const isRefused = (value: object): boolean =>
  types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef || value instanceof FinalizationRegistry ||
  types.isSymbolObject(value) || isExternal(value) || value instanceof URL || OPAQUE.has(value);

/** `weighed`: `size` is what the value takes in memory, not its bytes. */
export const tooLarge = ({ size, weighed }: { size: number; weighed?: boolean }, limit: number): FrameTooLargeError =>
  new FrameTooLargeError(
    weighed
      ? `so many small objects, or places of lists with holes, take ${size} bytes of memory, more than a link of maxFrame ${limit} takes at once (${WEIGHT_PER_BYTE * limit}); send less, stream it, or pack it into a typed array`
      : `${size} bytes are more than the link carries at once (maxFrame: ${limit}); send less, or stream it`,
    { size, limit },
  );
