// How live things cross a link: functions, streams, signals and proxies become numbers here and stubs on the other side.
// Invariant: an encode that fails has lent nothing, and when the link ends all that was lent or borrowed over it ends.
import { FrameTooLargeError, LinkClosedError, ProtocolError, QueueFullError } from '../errors.js';
import type { LiveKind, LiveReferences } from './codec.js';
import { isReference, Kind } from './frames.js';
import { Imports } from './imports.js';
import { asResult } from './iterate-result.js';
import { told } from './maybe-executed.js';
import { inheritedMeta, metaOf, relayedOptions } from './meta.js';
import { LiveSignals } from './live-signals.js';
import { borrow, expiredCallback, isBorrowed, keep, keptReleases, type Borrowed, type Exported, type Scope } from './references.js';
import { createRemote, remoteTargetOf, type RemoteTarget } from './remote.js';
import { readMethodNames, readWithheld } from './service.js';
import type { Session } from './session.js';
import { IncomingStream, OutgoingStream, type StreamWires } from './streams.js';
import { transferOfArguments } from './transfer.js';
import { rejectedUnheard } from './unheard.js';

/** What an encode has lent so far. */
export interface Made {
  scope: Scope | undefined;
  references: number[] | undefined;
  streams: OutgoingStream[] | undefined;
  /** As `maxLive` counts. */
  live: number;
}

/** What each costs who reads it, in functions. */
const COST: Readonly<Record<LiveKind, number>> = { function: 1, proxy: 1, signal: 8, stream: 8, readable: 8 };

export class LiveTable implements LiveReferences, StreamWires {
  /** Undefined outside of an encode. */
  made: Made | undefined;
  readonly #outgoing = new Map<number, OutgoingStream>();
  readonly #incoming = new Map<number, IncomingStream>();
  readonly #dropped = new FinalizationRegistry<() => void>((letGo) => letGo());
  readonly signals: LiveSignals;
  #nextStream = 1;
  /** What the value that was decoded last brought along, until somebody takes it. */
  #imports: Imports | undefined;
  #congestionWaiters: (() => void)[] = [];

  constructor(private readonly session: Session) {
    this.signals = new LiveSignals(session);
  }

  /** Streams and signals that are open in either direction. */
  get size(): number {
    return this.#outgoing.size + this.#incoming.size + this.signals.size;
  }

  // ── what the codec asks for ──

  exportLive(value: object, kind: LiveKind): unknown {
    if (this.made && (this.made.live += COST[kind]) > this.session.limits.maxLive) throw this.#tooManyLive();
    switch (kind) {
      case 'function':
        return this.#exportFunction(value as (...args: unknown[]) => unknown);
      case 'proxy':
        return this.#exportProxy(remoteTargetOf(value)!);
      case 'signal':
        return this.signals.export(value as AbortSignal, this.made?.scope, (exported) => this.#lendSignal(exported));
      case 'stream':
      case 'readable':
        return this.#exportStream(value);
    }
  }

  importLive(kind: LiveKind, description: unknown): unknown {
    if (!Array.isArray(description) || !isReference(description[0])) throw new ProtocolError(`a malformed ${kind} reference`);
    const [reference, second, third] = description as [number, unknown, unknown];
    const imports = (this.#imports ??= new Imports(this.signals));
    if ((imports.live += COST[kind]) > this.session.limits.maxLive) throw new ProtocolError('too many functions, streams and signals in one value');
    switch (kind) {
      case 'function':
        return this.#importFunction(reference, textOf(second), third === 1, imports);
      case 'proxy':
        return this.#importProxy(reference, description.slice(1));
      case 'signal': {
        const { signal, follows } = this.signals.import(reference, second);
        if (follows) imports.signals.push(reference);
        return signal;
      }
      case 'stream':
      case 'readable': {
        if (this.#incoming.size >= this.session.limits.maxStreams) throw new ProtocolError(`more than ${this.session.limits.maxStreams} streams at once`);
        if (this.#incoming.has(reference)) throw new ProtocolError('two streams of one number');
        const stream = new IncomingStream(reference, this);
        this.#incoming.set(reference, stream);
        imports.streams.push(stream);
        return kind === 'readable' ? readableOf(stream) : stream;
      }
    }
  }

  /** Takes back what an encode had lent whose value is not sent after all. */
  takeBack({ references, streams }: Made): void {
    for (const reference of references ?? []) this.session.exports.release(reference);
    for (const stream of streams ?? []) stream.forget();
  }

  /** What the value that was just decoded brought along, which is the taker's from now on; undefined: nothing. */
  takeImports(): Imports | undefined {
    const imports = this.#imports;
    this.#imports = undefined;
    return imports;
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
    return this.session.sendItem(stream, value);
  }

  unread(bytes: number): void {
    this.session.unread(bytes);
  }

  get peer(): string {
    return this.session.peer;
  }

  get congested(): boolean {
    return this.session.congested && !this.session.closed;
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
    this.signals.ended(() => explain('signal'));
  }

  #exportFunction(fn: (...args: unknown[]) => unknown): unknown {
    const kept = keptReleases(fn);
    // One that was borrowed itself is passed on: who keeps it there makes this side keep it, too.
    let held: Disposable | undefined;
    const letGo = () => this.session.exports.release(reference);
    const reference = this.#lend({
      invoke: (_member, args) => fn(...args),
      ...(isBorrowed(fn) ? { passesOn: true, retain: () => void (held = keep(fn)) } : {}),
      release: () => {
        held?.[Symbol.dispose]();
        kept?.delete(letGo);
      },
    }, kept === undefined);
    kept?.add(letGo);
    return [reference, typeof fn.name === 'string' ? fn.name : '', kept || !this.made?.scope ? 1 : 0];
  }

  #exportProxy(target: RemoteTarget): unknown {
    const reference = this.#lend({
      passesOn: true,
      invoke: (member, args, context) => {
        context.relayed = true;
        return target.invoke(member, args, { ...relayedOptions(context), signal: context.signal });
      },
    }, false);
    return [reference, target.name, target.id, target.withheld?.() ?? [], ...target.methods()];
  }

  /** Beyond a call it is known by its own name: a value that is not sent after all takes nothing back. */
  #lendSignal(exported: Exported): number {
    return this.made?.scope ? this.#lend(exported, true) : this.#export(exported);
  }

  /** `scoped`: until its call has settled, when it is an argument of one. */
  #lend(exported: Exported, scoped: boolean): number {
    const reference = this.#export(exported);
    if (this.made) (this.made.references ??= []).push(reference);
    const scope = this.made?.scope;
    if (scoped && scope) (scope.references ??= []).push(reference);
    return reference;
  }

  #export(exported: Exported): number {
    const { exports, options, limits } = this.session;
    const { maxLent } = limits;
    if (exports.size >= maxLent) throw new QueueFullError(`${options.self} has lent ${maxLent} functions and proxies over this link, and ${this.session.peer} has let go of none of them; lend less`, { process: options.self, maxQueue: maxLent, retryAfter: 1000 });
    return exports.add(exported);
  }

  #tooManyLive(): FrameTooLargeError {
    const limit = this.session.limits.maxLive;
    return new FrameTooLargeError(`more than ${limit} functions and proxies, or ${limit / COST.stream} streams and signals, in one value; let its parts share them, or send it in parts`, { size: limit + 1, limit });
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

  #importFunction(reference: number, name: string, kept: boolean, imports: Imports): Function {
    const { session } = this;
    const release = () => session.send(Kind.RELEASE, reference);
    const dropOne = () => {
      if (--state.keeps > 0) return;
      state.expired = true;
      release();
    };
    const state: Borrowed = {
      keeps: 0,
      expired: false,
      retain: (holder) => {
        if (state.keeps++ === 0) session.send(Kind.RETAIN, reference);
        this.#dropped.register(holder, dropOne, holder);
      },
      letGo: (holder) => {
        if (this.#dropped.unregister(holder)) dropOne();
      },
    };
    let warned = false;
    const warn = () => {
      if (!warned) process.emitWarning(`${name ? `${name}(): ` : ''}${expiredCallback(session.options.self).message}. (Nobody waited for that call. Later ones are not warned of.)`, { type: 'MimasWarning', code: 'CALLBACK_RELEASED' });
      warned = true;
    };
    const stub = (...args: unknown[]): Promise<unknown> => {
      // A listener that is told something and not waited for must not end the process when its caller is gone by then.
      const hear = () => void result.catch(() => {});
      const result: Promise<unknown> = state.expired
        ? rejectedUnheard(told(expiredCallback(session.options.self), false), warn)
        : session.callReference(reference, '', args, { meta: inheritedMeta(), transfer: transferOfArguments(args, undefined), onFailed: hear });
      return asResult(result);
    };
    Object.defineProperty(stub, 'name', { value: name });
    if (kept) this.#dropped.register(stub, release);
    else imports.borrowed.push(state);
    return borrow(stub, state);
  }

  #importProxy(reference: number, [first, second, third, ...others]: unknown[]): object {
    const { session } = this;
    const [name, id, withheld, methods] = [textOf(first), textOf(second), readWithheld(third), readMethodNames(others)];
    const target: RemoteTarget = {
      name,
      id,
      methods: () => methods,
      withheld: () => withheld,
      invoke: (method, args, options) => {
        try {
          if (session.closed) throw new LinkClosedError(`${name}.${method}(): the link that brought this proxy is closed`, { process: name, method });
          const transfer = transferOfArguments(args, options.transfer);
          return asResult(session.callReference(reference, method, args, { meta: metaOf(options), signal: options.signal, transfer }));
        } catch (error) {
          return asResult(Promise.reject(told(error, false)));
        }
      },
    };
    // The target, not this proxy: those that `$with` makes stand on it as well.
    this.#dropped.register(target, () => session.send(Kind.RELEASE, reference));
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
  unread() {},
  congested: false,
  peer: '',
  whenDrained: () => Promise.resolve(),
});
NOWHERE.end(undefined);

const textOf = (part: unknown): string => {
  if (typeof part !== 'string') throw new ProtocolError('a name that is no text');
  return part;
};

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
