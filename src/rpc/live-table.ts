// How live things cross a link: functions, streams, signals and proxies become numbers here and stubs on the other side.
import { LinkClosedError, ProtocolError } from '../errors.js';
import type { LiveKind, LiveReferences } from './codec.js';
import { currentContext } from './context.js';
import { Kind } from './frames.js';
import { borrow, expiredCallback, keptReleases, type Borrowed, type Scope } from './references.js';
import { createRemote, remoteTargetOf, type RemoteTarget } from './remote.js';
import type { Session } from './session.js';
import { BYTES_PER_CREDIT, IncomingStream, OutgoingStream, type StreamWires } from './streams.js';
import { transferOf } from './transfer.js';

type AnyIterator = Iterator<unknown, unknown, unknown> | AsyncIterator<unknown, unknown, unknown>;

export class LiveTable implements LiveReferences, StreamWires {
  /** References made by the encode that runs now; undefined: for the life of the link. */
  scope: Scope | undefined;
  /** Called when an outgoing stream of the encode that runs now ends. */
  onStreamStart: ((stream: OutgoingStream) => void) | undefined;
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
        const controller = new AbortController();
        if (description[1] === 1) controller.abort();
        this.#signals.set(reference, controller);
        this.#signalScope.push(reference);
        return controller.signal;
      }
      case 'stream':
      case 'readable': {
        const stream = new IncomingStream(reference, this);
        this.#incoming.set(reference, stream);
        this.#streams.push(stream);
        return kind === 'readable' ? readableOf(stream) : stream;
      }
    }
  }

  // ── what one decode brought ──

  beginImports(): void {
    if (this.#streams.length > 0) this.#streams = [];
    if (this.#borrowed.length > 0) this.#borrowed = [];
    if (this.#signalScope.length > 0) this.#signalScope = [];
  }

  importedStreams(): readonly IncomingStream[] {
    return this.#streams;
  }

  /** How to let go what the arguments of a call brought; undefined when they brought nothing. */
  takeRelease(): (() => void) | undefined {
    const borrowed = this.#borrowed;
    const signals = this.#signalScope;
    const streams = this.#streams;
    if (borrowed.length === 0 && signals.length === 0 && streams.length === 0) return undefined;
    this.beginImports();
    return () => {
      for (const state of borrowed) if (!state.kept) state.expired = true;
      for (const reference of signals) this.#signals.delete(reference);
      // The method is done; a stream that it did not read to the end is left.
      for (const stream of streams) stream.cancel();
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

  incoming(id: number): IncomingStream | undefined {
    return this.#incoming.get(id) ?? NOWHERE;
  }

  endIncoming(id: number): IncomingStream | undefined {
    const stream = this.#incoming.get(id);
    this.#incoming.delete(id);
    return stream ?? NOWHERE;
  }

  sendNext(stream: number, value: unknown): number {
    if (this.session.closed) return 0;
    const { tag, payload, attachments, transfer, size } = this.session.encode(value, 'item', undefined, transferOf(value));
    const cost = 1 + Math.floor(size / BYTES_PER_CREDIT);
    this.session.outbox.entries.push(Kind.NEXT, stream, cost, tag, payload, attachments?.length ?? 0);
    if (attachments) this.session.outbox.attach(attachments, transfer);
    this.session.outbox.commit(size);
    return cost;
  }

  get congested(): boolean {
    return this.session.congested;
  }

  sendEnd(stream: number, value: unknown): void {
    if (!this.session.closed) this.session.sendValue([Kind.END, stream], value, 'result');
  }

  sendFail(stream: number, error: unknown): void {
    if (!this.session.closed) this.session.dispatcher.sendFailure([Kind.FAIL, stream], error);
  }

  sendCredit(stream: number, credit: number): void {
    this.session.send(Kind.CREDIT, stream, credit);
  }

  sendStop(stream: number): void {
    this.#incoming.delete(stream);
    this.session.send(Kind.STOP, stream);
  }

  abortSignal(reference: number, reason: unknown): void {
    this.#signals.get(reference)?.abort(reason);
  }

  /** Resolves once the link takes data again. */
  whenDrained(): Promise<void> {
    return new Promise((resolve) => this.#congestionWaiters.push(resolve));
  }

  drained(): void {
    const waiters = this.#congestionWaiters;
    this.#congestionWaiters = [];
    for (const resolve of waiters) resolve();
  }

  ended(explain: (method: string) => Error): void {
    this.drained();
    for (const stream of this.#outgoing.values()) stream.stop();
    const incoming = [...this.#incoming.values()];
    this.#incoming.clear();
    for (const stream of incoming) stream.fail(explain(stream.label));
    for (const controller of this.#signals.values()) controller.abort(explain('signal'));
    this.#signals.clear();
  }

  #exportFunction(fn: (...args: unknown[]) => unknown): unknown {
    const kept = keptReleases(fn);
    const reference = this.session.exports.add({ invoke: (_member, args) => fn(...args) }, kept ? undefined : this.scope);
    kept?.add(() => this.session.exports.release(reference));
    return [reference, fn.name, kept || !this.scope ? 1 : 0];
  }

  #exportProxy(target: RemoteTarget): unknown {
    const reference = this.session.exports.add({
      invoke: (member, args, headers) => target.invoke(member, args, headers ? { headers } : {}),
    });
    return [reference, target.name, target.id, ...target.methods()];
  }

  #exportSignal(signal: AbortSignal): unknown {
    const onAbort = () => {
      if (!this.session.closed) this.session.sendValue([Kind.ABORT, reference], signal.reason, 'reason');
    };
    const reference = this.session.exports.add({ invoke: () => undefined, release: () => signal.removeEventListener('abort', onAbort) }, this.scope);
    if (!signal.aborted) signal.addEventListener('abort', onAbort, { once: true });
    return [reference, signal.aborted ? 1 : 0];
  }

  #exportStream(value: object): unknown {
    const id = this.#nextStream++;
    const stream = new OutgoingStream(id, iteratorOf(value), this);
    stream.onEnd(() => this.#outgoing.delete(id));
    this.#outgoing.set(id, stream);
    this.onStreamStart?.(stream);
    // After the entry that announces it.
    queueMicrotask(() => void stream.pump());
    return [id];
  }

  #importFunction(reference: number, name: string, kept: boolean): Function {
    const { session } = this;
    const state: Borrowed = {
      kept,
      expired: false,
      retain: () => session.send(Kind.RETAIN, reference),
      release: () => session.send(Kind.RELEASE, reference),
    };
    const stub = (...args: unknown[]): Promise<unknown> =>
      state.expired ? Promise.reject(expiredCallback(session.options.self)) : session.callReference(reference, '', args, metaOfContext());
    Object.defineProperty(stub, 'name', { value: name });
    if (kept) this.#dropped.register(stub, reference);
    else this.#borrowed.push(state);
    return borrow(stub, state);
  }

  #importProxy(reference: number, [name = '', id = '', ...methods]: string[]): object {
    const { session } = this;
    const proxy = createRemote({
      name,
      id,
      methods: () => methods,
      invoke: (method, args, options) => {
        if (session.closed) return Promise.reject(new LinkClosedError(`${name}.${method}(): the link that brought this proxy is closed`, { process: name, method }));
        return session.callReference(reference, method, args, metaOf(options.headers, undefined));
      },
    });
    this.#dropped.register(proxy, reference);
    return proxy;
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
  whenDrained: () => Promise.resolve(),
});
NOWHERE.end(undefined);

/** The meta slot of a call: time left in ms or 0, then header names and values. */
export function metaOf(headers: Readonly<Record<string, string>> | undefined, timeLeft: number | undefined): unknown[] | undefined {
  if (headers === undefined) return timeLeft === undefined ? undefined : [timeLeft];
  const meta: unknown[] = [timeLeft ?? 0];
  for (const [name, value] of Object.entries(headers)) meta.push(name, value);
  return meta;
}

/** What a call made from inside a call inherits. */
export function metaOfContext(): unknown[] | undefined {
  const context = currentContext();
  if (!context) return undefined;
  const timeLeft = context.deadline === undefined ? undefined : Math.max(1, context.deadline - Date.now());
  return metaOf(Object.keys(context.headers).length > 0 ? context.headers : undefined, timeLeft);
}

function iteratorOf(value: object): AnyIterator {
  const source = value as { [Symbol.asyncIterator]?: () => AnyIterator; [Symbol.iterator]?: () => AnyIterator };
  const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.();
  return iterator ?? (value as AnyIterator);
}

function readableOf(stream: IncomingStream): ReadableStream<unknown> {
  return new ReadableStream<unknown>(
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
}
