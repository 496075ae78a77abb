// How live things cross a link: functions, streams, signals and proxies become numbers here and stubs on the other side.
// Invariant: an encode that fails has lent nothing, and when the link ends all that was lent or borrowed over it ends.
import { LinkClosedError, ProtocolError } from '../errors.js';
import type { LiveKind, LiveReferences } from './codec.js';
import { DEFAULT_LIMITS, Kind } from './frames.js';
import { asResult } from './iterate-result.js';
import { told } from './maybe-executed.js';
import { inheritedMeta, metaOf, relayedOptions } from './meta.js';
import { borrow, expiredCallback, isBorrowed, keep, keptReleases, type Borrowed, type Scope } from './references.js';
import { createRemote, remoteTargetOf, type RemoteTarget } from './remote.js';
import type { Session } from './session.js';
import { signalFrom, reasonToWire } from './signals.js';
import { BYTES_PER_CREDIT, IncomingStream, OutgoingStream, type StreamWires } from './streams.js';
import { transferOf, transferOfArguments } from './transfer.js';

/** What the arguments of a call brought along. */
export interface Brought {
  /** The method is done: functions expire, streams that it did not read to the end are left. */
  release(): void;
  /** The caller has given up: who waits for an argument's stream hears of it. */
  interrupt(reason: unknown): void;
}

/** What the encode that runs now has lent so far. */
export interface Made {
  scope: Scope | undefined;
  references: number[] | undefined;
  streams: OutgoingStream[] | undefined;
}

const NONE: readonly never[] = Object.freeze([]);

export class LiveTable implements LiveReferences, StreamWires {
  /** Undefined outside of an encode. */
  made: Made | undefined;
  readonly #outgoing = new Map<number, OutgoingStream>();
  readonly #incoming = new Map<number, IncomingStream>();
  readonly #signals = new Map<number, AbortController>();
  readonly #dropped = new FinalizationRegistry<number>((reference) => this.session.send(Kind.RELEASE, reference));
  #nextStream = 1;
  #streams: IncomingStream[] = [];
  #borrowed: Borrowed[] = [];
  #signalScope: number[] = [];
  #congestionWaiters: (() => void)[] = [];

  constructor(private readonly session: Session) {}

  /** Streams and signals that are open in either direction. */
  get size(): number {
    return this.#outgoing.size + this.#incoming.size + this.#signals.size;
  }

  // ── what the codec asks for ──

  exportLive(value: object, kind: LiveKind): unknown {
    switch (kind) {
      case 'function':
        return this.#exportFunction(value as (...args: unknown[]) => unknown);
      case 'proxy':
        return this.#exportProxy(remoteTargetOf(value)!);
      case 'signal':
        return this.#exportSignal(value as AbortSignal);
      case 'stream':
      case 'readable':
        return this.#exportStream(value);
    }
  }

  importLive(kind: LiveKind, description: unknown): unknown {
    if (!Array.isArray(description) || !Number.isInteger(description[0])) throw new ProtocolError(`a malformed ${kind} reference`);
    const reference = description[0] as number;
    switch (kind) {
      case 'function':
        return this.#importFunction(reference, String(description[1]), description[2] === 1);
      case 'proxy':
        return this.#importProxy(reference, description.slice(1).map(String));
      case 'signal': {
        const controller = signalFrom(description[1]);
        if (!controller.signal.aborted) {
          this.#signals.set(reference, controller);
          this.#signalScope.push(reference);
        }
        return controller.signal;
      }
      case 'stream':
      case 'readable': {
        if (this.#incoming.size >= DEFAULT_LIMITS.maxStreams) throw new ProtocolError(`more than ${DEFAULT_LIMITS.maxStreams} streams at once`);
        const stream = new IncomingStream(reference, this);
        this.#incoming.set(reference, stream);
        this.#streams.push(stream);
        return kind === 'readable' ? readableOf(stream) : stream;
      }
    }
  }

  /** Takes back what the encode that failed had lent. */
  rollback(): void {
    for (const reference of this.made?.references ?? []) this.session.exports.release(reference);
    for (const stream of this.made?.streams ?? []) stream.forget();
  }

  // ── what one decode brought ──

  beginImports(): void {
    if (this.#streams.length > 0) this.#streams = [];
    if (this.#borrowed.length > 0) this.#borrowed = [];
    if (this.#signalScope.length > 0) this.#signalScope = [];
  }

  /** The list is the caller's to keep: the next decode begins a new one. */
  importedStreams(): readonly IncomingStream[] {
    const streams = this.#streams;
    if (streams.length === 0) return NONE;
    this.#streams = [];
    return streams;
  }

  /** How to let go what the arguments of a call brought; undefined when they brought nothing. */
  takeBrought(): Brought | undefined {
    const borrowed = this.#borrowed;
    const signals = this.#signalScope;
    const streams = this.#streams;
    if (borrowed.length === 0 && signals.length === 0 && streams.length === 0) return undefined;
    this.beginImports();
    return {
      release: () => {
        for (const state of borrowed) if (!state.kept) state.expired = true;
        for (const reference of signals) this.#signals.delete(reference);
        for (const stream of streams) stream.cancel();
      },
      interrupt: (reason) => {
        for (const stream of streams) stream.cancel({ reason });
      },
    };
  }

  // ── streams ──

  /** Streams of both directions that have not ended. */
  get openStreams(): number {
    return this.#incoming.size + this.#outgoing.size;
  }

  outgoing(id: number): OutgoingStream | undefined {
    return this.#outgoing.get(id);
  }

  incoming(id: number): IncomingStream {
    return this.#incoming.get(id) ?? NOWHERE;
  }

  endIncoming(id: number): IncomingStream {
    const stream = this.#incoming.get(id);
    this.#incoming.delete(id);
    return stream ?? NOWHERE;
  }

  sendNext(stream: number, value: unknown): number {
    const { session } = this;
    const { tag, payload, attachments, transfer, size } = session.encode(value, 'item', undefined, transferOf(value));
    const cost = 1 + Math.floor(size / BYTES_PER_CREDIT);
    session.outbox.entries.push(Kind.NEXT, stream, cost, tag, payload, attachments?.length ?? 0);
    if (attachments) session.outbox.attach(attachments, transfer);
    session.outbox.commit(size);
    return cost;
  }

  get peer(): string {
    return this.session.peer;
  }

  get congested(): boolean {
    return this.session.congested;
  }

  sendEnd(stream: number, value: unknown): void {
    this.session.sendValue([Kind.END, stream], value, 'result');
  }

  sendFail(stream: number, error: unknown): void {
    this.session.dispatcher.sendFailure([Kind.FAIL, stream], error);
  }

  sendCredit(stream: number, credit: number): void {
    this.session.send(Kind.CREDIT, stream, credit);
  }

  sendStop(stream: number): void {
    this.#incoming.delete(stream);
    this.session.send(Kind.STOP, stream);
  }

  abortSignal(reference: number, reason: unknown): void {
    const controller = this.#signals.get(reference);
    this.#signals.delete(reference);
    controller?.abort(reason);
  }

  /** Resolves once the link takes data again, or has ended. */
  whenDrained(): Promise<void> {
    return this.session.closed ? Promise.resolve() : new Promise((resolve) => this.#congestionWaiters.push(resolve));
  }

  drained(): void {
    for (const resolve of this.#congestionWaiters.splice(0)) resolve();
  }

  /** The link is gone: producers stop at once, they would run on into nothing. */
  stopProducers(): void {
    // Those that stop leave the table, which a Map allows meanwhile.
    for (const stream of this.#outgoing.values()) stream.stop();
    this.drained();
  }

  /** Nothing more will come, and why is known by now. */
  ended(explain: (method: string) => Error): void {
    this.stopProducers();
    const incoming = [...this.#incoming.values()];
    this.#incoming.clear();
    for (const stream of incoming) stream.fail(explain(stream.label));
    const signals = [...this.#signals.values()];
    this.#signals.clear();
    for (const controller of signals) controller.abort(explain('signal'));
  }

  #exportFunction(fn: (...args: unknown[]) => unknown): unknown {
    const kept = keptReleases(fn);
    // One that was borrowed itself is passed on: who keeps it there makes this side keep it, too.
    let held: Disposable | undefined;
    const reference = this.#lend({
      invoke: (_member, args) => fn(...args),
      ...(isBorrowed(fn) ? { passesOn: true, retain: () => void (held = keep(fn)), release: () => held?.[Symbol.dispose]() } : {}),
    }, kept === undefined);
    kept?.add(() => this.session.exports.release(reference));
    return [reference, fn.name, kept || !this.made?.scope ? 1 : 0];
  }

  #exportProxy(target: RemoteTarget): unknown {
    const reference = this.#lend({
      passesOn: true,
      invoke: (member, args, context) => {
        context.relayed = true;
        return target.invoke(member, args, { ...relayedOptions(context), signal: context.signal });
      },
    }, false);
    return [reference, target.name, target.id, ...target.methods()];
  }

  #exportSignal(signal: AbortSignal): unknown {
    const { session } = this;
    if (signal.aborted) return [0, reasonToWire(signal.reason)];
    const onAbort = () => session.sendReason([Kind.ABORT, reference], signal.reason);
    const reference = this.#lend({ invoke: () => undefined, release: () => signal.removeEventListener('abort', onAbort) }, true);
    signal.addEventListener('abort', onAbort, { once: true });
    return [reference];
  }

  /** `scoped`: until its call has settled, when it is an argument of one. */
  #lend(exported: Parameters<Session['exports']['add']>[0], scoped: boolean): number {
    const reference = this.session.exports.add(exported);
    if (this.made) (this.made.references ??= []).push(reference);
    const scope = this.made?.scope;
    if (scoped && scope) (scope.references ??= []).push(reference);
    return reference;
  }

  #exportStream(value: object): unknown {
    const id = this.#nextStream++;
    const stream = new OutgoingStream(id, value, this);
    stream.onLeave(() => this.#outgoing.delete(id));
    stream.onEnd(() => this.#outgoing.delete(id));
    this.#outgoing.set(id, stream);
    const { made } = this;
    if (made) (made.streams ??= []).push(stream);
    if (made?.scope) (made.scope.streams ??= []).push(stream);
    // After the entry that announces it.
    queueMicrotask(() => stream.start());
    return [id];
  }

  #importFunction(reference: number, name: string, kept: boolean): Function {
    const { session } = this;
    const state: Borrowed = {
      kept,
      expired: false,
      retain: (holder) => {
        session.send(Kind.RETAIN, reference);
        this.#dropped.register(holder, reference);
      },
      release: () => session.send(Kind.RELEASE, reference),
    };
    const stub = (...args: unknown[]): Promise<unknown> => {
      // A listener that is told something and not waited for must not end the process when its caller is gone by then.
      const hear = () => void result.catch(() => {});
      const result: Promise<unknown> = state.expired ? Promise.reject(told(expiredCallback(session.options.self), false)) : session.callReference(reference, '', args, { meta: inheritedMeta(), transfer: transferOfArguments(args, undefined), onFailed: hear });
      if (state.expired) hear();
      return asResult(result);
    };
    Object.defineProperty(stub, 'name', { value: name });
    if (kept) this.#dropped.register(stub, reference);
    else this.#borrowed.push(state);
    return borrow(stub, state);
  }

  #importProxy(reference: number, [name = '', id = '', ...methods]: string[]): object {
    const { session } = this;
    const target: RemoteTarget = {
      name,
      id,
      methods: () => methods,
      invoke: (method, args, options) => {
        if (session.closed) return Promise.reject(told(new LinkClosedError(`${name}.${method}(): the link that brought this proxy is closed`, { process: name, method }), false));
        const transfer = transferOfArguments(args, options.transfer);
        return asResult(session.callReference(reference, method, args, { meta: metaOf(options), signal: options.signal, transfer }));
      },
    };
    // The target, not this proxy: those that `$with` makes stand on it as well.
    this.#dropped.register(target, reference);
    return createRemote(target);
  }
}

/** Takes items that nobody waits for any more, so that their values are still decoded in order. */
const NOWHERE = new IncomingStream(0, {
  sendNext: () => 1,
  sendEnd() {},
  sendFail() {},
  sendCredit() {},
  sendStop() {},
  congested: false,
  peer: '',
  whenDrained: () => Promise.resolve(),
});
NOWHERE.end(undefined);

function readableOf(stream: IncomingStream): ReadableStream<unknown> {
  const readable = new ReadableStream<unknown>(
    {
      async pull(controller) {
        const { done, value } = await stream.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => stream.cancel(),
    },
    { highWaterMark: 0 },
  );
  behind.set(readable, stream);
  return readable;
}

const behind = new WeakMap<object, IncomingStream>();

/** The stream that a result is, as an iterator or as a ReadableStream; undefined for any other value. */
export const incomingStreamOf = (value: unknown): IncomingStream | undefined =>
  value instanceof IncomingStream ? value : typeof value === 'object' && value !== null ? behind.get(value) : undefined;
