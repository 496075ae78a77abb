// Rebuilds a value from its table. The table may come from anywhere: every index, type and size is checked,
// nothing is allocated by a claimed length, no prototype comes from the wire, nothing that it makes is taken for a promise.
// @throws ProtocolError
import { types } from 'node:util';
import { ProtocolError } from '../errors.js';
import { makeView, Node, weightOfNode } from './graph-table.js';
import { isLiveKind, type LiveReferences } from './live.js';
import { errorShell, fillError } from './wire-error.js';

export interface RebuildOptions {
  readonly attachments: readonly unknown[];
  readonly level: 'objects' | 'bytes';
  readonly maxFrame: number;
  /** What may be made beside the table. */
  readonly maxWeight: number;
  readonly live: LiveReferences | undefined;
}

const PENDING = Symbol('pending');
const bad = (what: string): ProtocolError => new ProtocolError(`malformed value: ${what}`);

export function rebuild(table: unknown, options: RebuildOptions): unknown {
  if (!Array.isArray(table) || table.length === 0) throw bad('no table');
  return new Rebuilder(table.slice(1), options).run(table[0]);
}

class Rebuilder {
  private readonly objects: unknown[];
  /** Memory beside that of the bytes. */
  private reserved = 0;

  constructor(private readonly nodes: unknown[], private readonly options: RebuildOptions) {
    this.objects = Array.from({ length: nodes.length }, () => PENDING);
  }

  /** Buffers before the views on them, shells before their content, live things when all else is known to be sound. */
  run(root: unknown): unknown {
    const late: number[] = [];
    this.nodes.forEach((node, index) => {
      if (!Array.isArray(node)) throw bad('not a node');
      this.reserve(weightOfNode(node));
      if (node[0] === Node.VIEW || node[0] === Node.LIVE) late.push(index);
      else this.objects[index] = this.shell(node);
    });
    for (const index of late) if (this.node(index)[0] === Node.VIEW) this.objects[index] = this.view(this.node(index));
    for (const index of late) if (this.node(index)[0] === Node.LIVE) this.objects[index] = this.live(this.node(index));
    this.nodes.forEach((node, index) => this.fill(node as unknown[], this.objects[index]));
    return this.value(root);
  }

  private reserve(bytes: number): void {
    this.reserved += bytes;
    if (this.reserved > this.options.maxWeight) throw bad('it takes more memory than the link carries at once');
  }

  private node(index: number): unknown[] {
    return this.nodes[index] as unknown[];
  }

  private readonly value = (wire: unknown): unknown => {
    if (typeof wire !== 'object' || wire === null) return wire;
    if (!Array.isArray(wire) || wire.length !== 1) throw bad('not a reference');
    return this.target(wire[0]);
  };

  private target(index: unknown): unknown {
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= this.objects.length) throw bad('reference to nothing');
    const object = this.objects[index];
    if (object === PENDING) throw bad('reference to what does not exist yet');
    return object;
  }

  private shell(node: unknown[]): unknown {
    const [type, first, second] = node;
    switch (type) {
      case Node.OBJECT: return {};
      case Node.ARRAY: return [];
      case Node.SPARSE: return sparse(first);
      case Node.MAP: return new Map();
      case Node.SET: return new Set();
      case Node.DATE:
        if (typeof first !== 'number') throw bad('date');
        return new Date(first);
      case Node.REGEXP:
        if (typeof first !== 'string' || typeof second !== 'string') throw bad('regular expression');
        return new RegExp(first, second);
      case Node.BOX:
        if (!['number', 'string', 'boolean', 'bigint'].includes(typeof first)) throw bad('boxed primitive');
        return Object(first);
      case Node.BUFFER: return this.buffer(first, second);
      case Node.ATTACHED_BUFFER: return this.buffer(this.attachment(first), second);
      case Node.ERROR: return errorShell(node.slice(1));
      case Node.ATTACHED:
        if (this.options.level === 'bytes') throw bad('a host object over bytes');
        return this.attachment(first);
      default: throw bad('unknown node');
    }
  }

  private attachment(index: unknown): unknown {
    const { attachments } = this.options;
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= attachments.length) throw bad('no such attachment');
    return attachments[index];
  }

  /** A whole buffer is taken as it is; a view on something larger (a received frame) is copied out. */
  private buffer(source: unknown, max: unknown): ArrayBuffer {
    let buffer: ArrayBuffer;
    if (types.isArrayBuffer(source)) buffer = source;
    else if (source instanceof Uint8Array && types.isArrayBuffer(source.buffer)) {
      const whole = source.byteLength === source.buffer.byteLength;
      buffer = whole ? source.buffer : source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength);
    } else throw bad('buffer');
    if (max === undefined || (buffer as ArrayBuffer & { resizable?: boolean }).resizable) return buffer;
    if (typeof max !== 'number' || !Number.isInteger(max) || max < buffer.byteLength || max > this.options.maxFrame) throw bad('buffer size');
    this.reserve(max);
    const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
    const resizable = new Resizable(buffer.byteLength, { maxByteLength: max });
    new Uint8Array(resizable).set(new Uint8Array(buffer));
    return resizable;
  }

  private view([, index, reference, offset, length]: unknown[]): ArrayBufferView {
    const buffer = this.value(reference);
    if (typeof index !== 'number' || !types.isAnyArrayBuffer(buffer)) throw bad('view');
    if (typeof offset !== 'number' || (length !== undefined && typeof length !== 'number')) throw bad('view');
    const view = makeView(index, buffer as ArrayBuffer, offset, length);
    if (!view) throw bad('view');
    return view;
  }

  private live([, kind, description]: unknown[]): unknown {
    if (!this.options.live || !isLiveKind(kind)) throw bad('a live reference that nobody here can take');
    return this.options.live.importLive(kind, description);
  }

  private fill(node: unknown[], object: unknown): void {
    switch (node[0]) {
      case Node.OBJECT:
        this.assign(object as Record<string, unknown>, node, 1);
        this.refuseThen(object as { then?: unknown });
        break;
      case Node.ARRAY:
        for (let i = 1; i < node.length; i++) (object as unknown[]).push(this.value(node[i]));
        break;
      case Node.SPARSE:
        this.assign(object as Record<string, unknown>, node, 2);
        this.refuseThen(object as { then?: unknown });
        break;
      case Node.MAP:
        for (let i = 1; i < node.length; i += 2) (object as Map<unknown, unknown>).set(this.value(node[i]), this.value(node[i + 1]));
        break;
      case Node.SET:
        for (let i = 1; i < node.length; i++) (object as Set<unknown>).add(this.value(node[i]));
        break;
      case Node.ERROR:
        fillError(object as Error, node.slice(1), this.value);
        this.refuseThen(object as { then?: unknown });
        break;
      default:
    }
  }

  /** Who awaits what has a function of that name calls the peer, and waits for it. Senders refuse it, too. */
  private refuseThen(object: { then?: unknown }): void {
    if (typeof object.then === 'function') throw bad('a function with the name `then`');
  }

  private assign(object: Record<string, unknown>, node: readonly unknown[], from: number): void {
    const isArray = Array.isArray(object);
    for (let i = from; i < node.length; i += 2) {
      const key = node[i];
      if (typeof key !== 'string' && !(isArray && typeof key === 'number' && Number.isInteger(key) && key >= 0 && key < object.length)) throw bad('key');
      if (key === '__proto__' || (isArray && key === 'length')) continue;
      object[key] = this.value(node[i + 1]);
    }
  }
}

/** `length = n` alone would allocate n slots up to 32 million; an array that is sparse already stays so. */
function sparse(length: unknown): unknown[] {
  if (typeof length !== 'number' || length !== length >>> 0) throw bad('array length');
  const array: unknown[] = [];
  if (length > 1024) {
    array[2 ** 32 - 2] = undefined;
    delete array[2 ** 32 - 2];
  }
  array.length = length;
  return array;
}
