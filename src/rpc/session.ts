// One end of a link: turns calls, results, stream items and references into entries and back.
// Invariant: each call that was sent settles exactly once, by its answer, its cancellation, or the end of the link.
import { LinkClosedError, ProtocolError } from '../errors.js';
import type { Transferable } from '../types.js';
import { Tag, ValueCodec, type Encoded } from './codec.js';
import { Dispatcher } from './dispatcher.js';
import { batchEntries, CALL_SLOTS, Kind, limitsFor, MOST_ENTRIES, PROTOCOL_VERSION, type Limits } from './frames.js';
import { IdTable } from './id-table.js';
import type { Imports } from './imports.js';
import type { Link } from './link.js';
import { LiveTable, type Made } from './live-table.js';
import { Outbox } from './outbox.js';
import { EntryReader } from './reader.js';
import type { PendingCall } from './pending-call.js';
import { ReferenceCall, type ReferenceOptions } from './reference-call.js';
import { Exports, isUsed, newScope, type Scope } from './references.js';
import { describeService, readService, readWithheld, type MethodInfo, type Service } from './service.js';
import { costOf, type OutgoingStream } from './streams.js';
import { transferOf } from './transfer.js';

export interface SessionOptions {
  readonly link: Link;
  /** What this side serves; its description is sent at once. */
  readonly service?: Service | undefined;
  /** How this side names itself to the other: `currentCall().caller`. */
  readonly self: string;
  /** How messages name the other side, until it is known better. */
  readonly peer: string;
  readonly maxFrame?: number;
  readonly maxDepth?: number;
  /** What differs from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits>;
  onHello?(methods: MethodInfo[], name: string, withheld: readonly string[]): void;
  /** The link ended; pending calls are the owner's to settle through `abandon`. */
  onClosed?(error: Error | undefined): void;
  onDrain?(): void;
  /** The owner calls `abandon` itself, once it knows why the link ended. */
  readonly owned?: boolean;
}

const NONE: readonly never[] = Object.freeze([]);

export class Session {
  readonly exports = new Exports();
  readonly codec: ValueCodec;
  readonly outbox: Outbox;
  readonly live: LiveTable;
  readonly dispatcher: Dispatcher;
  readonly limits: Limits;
  closed = false;
  /** When the batch came that is being read. */
  receivedAt = 0;
  /** How messages and `currentCall().caller` name the other side. */
  peer: string;
  /** What the last encode lent: its value is sent, or taken back, before the next. */
  #made: Made | undefined;
  /** Why what is sent from now on has no answer: the owner has given up the link. */
  #abandoned: ((method: string) => Error) | undefined;
  readonly #reader: EntryReader;
  readonly #pending = new IdTable<PendingCall>();
  readonly #pings = new Map<number, () => void>();
  /** Who is not on this machine learns nothing of its files. */
  readonly #redact: boolean;
  #service: Service | undefined;
  #nextId = 1;
  /** The limit of the outbox that goes with the last batch of the peer. */
  #received = 0;
  #helloSeen = false;

  constructor(readonly options: SessionOptions) {
    const { link } = options;
    this.peer = options.peer;
    this.#redact = !link.trusted;
    this.limits = limitsFor(options.maxFrame, options.limits);
    this.live = new LiveTable(this);
    this.codec = new ValueCodec({
      level: link.level,
      maxFrame: this.limits.maxFrame,
      maxDepth: options.maxDepth ?? this.limits.maxDepth,
      live: this.live,
    });
    this.outbox = new Outbox(link);
    this.dispatcher = new Dispatcher(this);
    this.#reader = new EntryReader(this);
    link.start({
      batch: (entries, attachments) => {
        // Answers go in batches as large as the calls have come in. What the answers of a batch set off goes in one as well.
        this.outbox.limit = this.#received = Math.max(batchEntries(this.#pending.size), Math.min(MOST_ENTRIES, Math.trunc(entries.length / CALL_SLOTS)));
        this.#reader.receive(entries, attachments);
      },
      drain: () => {
        this.outbox.congested = false;
        this.live.drained();
        this.#reader.relieved();
        options.onDrain?.();
      },
      closed: (error) => this.#ended(error),
    });
    if (options.service) this.serve(options.service);
  }

  /** What this side serves. */
  get service(): Service | undefined {
    return this.#service;
  }

  /** Opens the door: the peer is told the methods at once. */
  serve(service: Service): void {
    this.#service = service;
    this.send(Kind.HELLO, [PROTOCOL_VERSION, service.name, service.withheld, ...describeService(service)]);
    this.outbox.flush();
  }

  /** Calls of this side that have no answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  get congested(): boolean {
    return this.outbox.congested;
  }

  /** The peer does not read what it was sent: no more of its calls are read. Only the serving side, so that two never wait for each other. */
  get backlogged(): boolean {
    return this.#service !== undefined && this.options.link.unsent > this.limits.maxBacklog;
  }

  /** Nothing was heard of the peer since `at`, and not because this side has not read it. */
  silentSince(at: number): boolean {
    return this.receivedAt < at && !this.#reader.behind;
  }

  /** Somebody waits for what the peer may have sent. */
  get expects(): boolean {
    return this.#pending.size > 0 || this.live.size > 0 || this.exports.size > 0;
  }

  /** `bytes` of stream items came that nobody waited for, or were taken if negative. */
  unread(bytes: number): void {
    this.#reader.unread(bytes);
  }

  // ── calls out ──

  /** Sends a call to method `number`. The list of `args` is given away. @throws what encoding throws; nothing was sent then. */
  call(call: PendingCall, number: number, args: unknown[], transfer: readonly Transferable[] | undefined, meta: unknown[] | undefined): number {
    // The common call lends nothing, so it needs no scope; its arguments are nobody's but its own, so they go as they are.
    const size = transfer === undefined ? this.codec.listSize(args) : -1;
    if (size >= 0) {
      this.#made = undefined;
      return this.#sendCall(call, number, Tag.INLINE, args, undefined, undefined, size, meta, undefined);
    }
    const scope = newScope();
    const { tag, payload, attachments, transfer: moved, size: bytes } = this.#encodeComposite(args, 'args', scope, transfer, true);
    return this.#sendCall(call, number, tag, payload, attachments, moved, bytes, meta, scope);
  }

  /** Sends a call whose arguments were encoded before (standalone). */
  sendEncoded(call: PendingCall, number: number, { tag, payload, attachments, transfer, size }: Encoded, meta: unknown[] | undefined): number {
    this.#made = undefined;
    return this.#sendCall(call, number, tag, payload, attachments, transfer, size, meta, undefined);
  }

  #sendCall(call: PendingCall, number: number, tag: number, payload: unknown, attachments: Encoded['attachments'], transfer: Encoded['transfer'], size: number, meta: unknown[] | undefined, scope: Scope | undefined): number {
    const id = this.#nextId++;
    if (meta === undefined && attachments === undefined) this.outbox.entries.push(Kind.CALL, id, number, tag, payload);
    else {
      this.outbox.entries.push(Kind.CALL_FULL, id, number, tag, payload, attachments?.length ?? 0, meta);
      if (attachments) this.outbox.attach(attachments, transfer);
    }
    this.#await(id, call, scope, size);
    return id;
  }

  /** Ends the entry of call `id`, whose answer is waited for from now on. */
  #await(id: number, call: PendingCall, scope: Scope | undefined, size: number): void {
    call.scope = scope && isUsed(scope) ? scope : undefined;
    this.#pending.add(id, call);
    this.outbox.limit = Math.max(this.#received, batchEntries(this.#pending.size));
    try {
      this.#commit(size);
    } catch (error) {
      this.#pending.take(id);
      throw error;
    }
  }

  /** Calls `member` of something the peer lent ('' for a function itself). */
  callReference(reference: number, member: string, args: unknown[], options: ReferenceOptions = {}): Promise<unknown> {
    return new Promise((resolve) => {
      const call = new ReferenceCall(this, member || 'callback', resolve, options);
      try {
        if (this.#abandoned) throw this.#abandoned(call.label);
        if (this.closed) throw new LinkClosedError(`the link to ${this.peer} is closed`, { process: this.peer });
        options.signal?.throwIfAborted();
        const scope = newScope();
        const { tag, payload, attachments, transfer, size } = this.encode(args, 'args', scope, options.transfer);
        call.id = this.#nextId++;
        this.outbox.entries.push(Kind.CALL_REFERENCE, call.id, reference, member, tag, payload, attachments?.length ?? 0, options.meta);
        if (attachments) this.outbox.attach(attachments, transfer);
        this.#await(call.id, call, scope, size);
      } catch (error) {
        call.unsent();
        call.fail(error);
      }
    });
  }

  /** Gives up a call: its answer is dropped when it comes, the peer sees its signal abort. */
  cancel(id: number, reason: unknown): void {
    const call = this.#pending.take(id);
    if (!call) return;
    this.sendReason([Kind.CANCEL, id], reason);
    if (call.scope) this.exports.settle(call.scope);
  }

  /** Sends why something was aborted. Never throws: a reason that cannot cross is replaced by its text. */
  sendReason(head: unknown[], reason: unknown): void {
    if (this.closed) return;
    try {
      this.sendValue(head, reason, 'reason');
    } catch {
      this.sendValue(head, new DOMException(`aborted (the reason could not be sent: ${typeof reason})`, 'AbortError'), 'reason');
    }
  }

  /** Takes every call that has no answer out of the table, and ends every stream: the link is gone or given up. */
  abandon(explain: (method: string) => Error): PendingCall[] {
    this.#reader.finish();
    for (const id of this.outbox.unsent) this.#pending.get(id)?.unsent();
    this.#abandoned = explain;
    const calls = this.#pending.values();
    this.#pending.clear();
    for (const { scope } of calls) if (scope) this.exports.settle(scope);
    this.live.ended(explain);
    return calls;
  }

  /** Resolves when the peer's event loop has answered. Never rejects: race it with a timer and the end of the link. */
  ping(): Promise<void> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#pings.set(id, resolve);
      this.outbox.entries.push(Kind.PING, id);
      this.outbox.commit();
    });
  }

  close(error?: Error): void {
    this.outbox.flush();
    this.options.link.close(error);
  }

  // ── entries out ──

  /** Encodes `value` and sends it behind `head`. @throws what encoding throws; nothing was sent then. */
  sendValue(head: unknown[], value: unknown, root: string, scope?: Scope, transfer?: readonly Transferable[]): void {
    const encoded = this.encode(value, root, scope, transfer);
    const { attachments } = encoded;
    this.outbox.entries.push(...head, encoded.tag, encoded.payload, attachments?.length ?? 0);
    if (attachments) this.outbox.attach(attachments, encoded.transfer);
    this.#commit(encoded.size);
  }

  send(...entry: unknown[]): void {
    if (this.closed) return;
    this.outbox.entries.push(...entry);
    this.outbox.commit();
  }

  /** The common result: no attachment. */
  sendResult(id: number, value: unknown, transfer: readonly Transferable[] | undefined): void {
    const { tag, payload, attachments, transfer: moved, size } = this.encode(value, 'result', undefined, transfer);
    if (attachments === undefined) this.outbox.entries.push(Kind.RESULT, id, tag, payload);
    else {
      this.outbox.entries.push(Kind.RESULT_FULL, id, tag, payload, attachments.length);
      this.outbox.attach(attachments, moved);
    }
    this.#commit(size);
  }

  /** Sends an item of a stream; answers what it costs. */
  sendItem(stream: number, value: unknown): number {
    const { tag, payload, attachments, transfer, size } = this.encode(value, 'item', undefined, transferOf(value));
    const cost = costOf(tag === Tag.INLINE ? size : size + this.codec.objects);
    this.outbox.entries.push(Kind.NEXT, stream, cost, tag, payload, attachments?.length ?? 0);
    if (attachments) this.outbox.attach(attachments, transfer);
    this.#commit(size);
    return cost;
  }

  /** The streams that the value which was sent last announced. */
  get started(): readonly OutgoingStream[] {
    return this.#made?.streams ?? NONE;
  }

  /** Ends the entry of the value that was encoded last. @throws NotCloneableError when the engine refuses it; it has lent nothing then */
  #commit(size: number): void {
    try {
      this.outbox.commit(size);
    } catch (error) {
      if (this.#made) this.live.takeBack(this.#made);
      throw error;
    }
  }

  /** Encodes for the next push; valid until the next encode. What it lends is noted in `scope`; when it throws, nothing is lent. */
  encode(value: unknown, root: string, scope?: Scope, transfer?: readonly Transferable[]): Encoded {
    if (transfer === undefined) {
      const inline = this.codec.inline(value);
      if (inline) {
        this.#made = undefined;
        return inline;
      }
    }
    return this.#encodeComposite(value, root, scope, transfer, false);
  }

  /** `list`: of arguments, which are dense. */
  #encodeComposite(value: unknown, root: string, scope: Scope | undefined, transfer: readonly Transferable[] | undefined, list: boolean): Encoded {
    const { live } = this;
    // A getter of the value may make a call of its own.
    const outer = live.made;
    const made: Made = { scope, references: undefined, streams: undefined, live: 0 };
    live.made = made;
    try {
      return this.codec.encodeComposite(value, { root, transfer: transfer ?? NONE, redact: this.#redact }, list);
    } catch (error) {
      live.takeBack(made);
      throw error;
    } finally {
      this.#made = made;
      live.made = outer;
    }
  }

  // ── what the reader tells ──

  greeted(slots: unknown): void {
    if (!Array.isArray(slots) || this.#helloSeen) throw new ProtocolError('a second or malformed greeting');
    const [version, name, withheld] = slots as unknown[];
    if (version !== PROTOCOL_VERSION) throw new ProtocolError(`${this.peer} speaks ${typeof version === 'number' ? `protocol ${version}` : 'another protocol'}, this side ${PROTOCOL_VERSION}: use the same version of mimas on both sides`);
    if (typeof name !== 'string') throw new ProtocolError('a greeting without a name');
    this.#helloSeen = true;
    this.options.onHello?.(readService(slots.slice(3)), name, readWithheld(withheld));
  }

  ponged(id: number): void {
    this.#pings.get(id)?.();
    this.#pings.delete(id);
  }

  /** `refused`: the peer did not run it. */
  failed(id: number, error: unknown, refused = false): void {
    const call = this.#pending.take(id);
    if (call?.scope) this.exports.settle(call.scope);
    if (refused) call?.unsent();
    call?.fail(error);
  }

  /** `imports`: what the value brought along. */
  answered(id: number, value: unknown, imports: Imports | undefined): void {
    const streams = imports?.streams ?? NONE;
    const call = this.#pending.take(id);
    if (!call) {
      // Cancelled meanwhile: nobody will use what it brought.
      imports?.release();
      return;
    }
    const { scope } = call;
    if (streams.length > 0) {
      for (const stream of streams) {
        stream.label = call.label;
        stream.from = call.from;
      }
    }
    if (scope) {
      // While a stream runs the call goes on, and so do its callbacks.
      let open = streams.length;
      if (open === 0) this.exports.settle(scope);
      for (const stream of streams) stream.onEnd(() => --open === 0 && this.exports.settle(scope));
    }
    call.settle(value, streams);
  }

  #ended(error: Error | undefined): void {
    if (this.closed) return;
    this.#reader.finish();
    this.closed = true;
    this.outbox.ended();
    const reason = error ?? new LinkClosedError(`the link to ${this.peer} was closed`, { process: this.peer });
    for (const resolve of this.#pings.values()) resolve();
    this.#pings.clear();
    this.dispatcher.ended(reason);
    this.live.stopProducers();
    this.exports.clear();
    if (!this.options.owned) for (const call of this.abandon(() => reason)) call.fail(reason);
    this.options.onClosed?.(error);
  }
}
