// Serves calls: number to method, method to result. Only what a Service lists or this side has lent out can be reached.
// Invariant: nothing that a user's object does when it is touched (getters, proxies, thenables) reaches further than its own call.
import { CallbackReleasedError, FrameTooLargeError, isError, MethodNotFoundError, MimasError, NotCloneableError, ProtocolError, QueueFullError } from '../errors.js';
import { runInContext, type CallContext } from './context.js';
import { isReference, Kind } from './frames.js';
import { IdTable } from './id-table.js';
import type { Imports } from './imports.js';
import { isRefusal } from './maybe-executed.js';
import { readMeta } from './meta.js';
import type { ServiceMethod } from './service.js';
import type { Session } from './session.js';
import { slimError } from './slim-error.js';
import { transferOf } from './transfer.js';
import { describe, nameMethod } from './uncloneable.js';

/** Up to so much that calls hold, bytes are counted; above it, what they stand for. */
const FEW_BYTES = 4 * 1024 * 1024;

export class Dispatcher {
  /** Bytes that calls under way hold with their arguments. */
  #held = 0;
  readonly #running = new IdTable<CallContext>();
  #idle: { left: number; resolve: () => void }[] = [];
  readonly #streaming = new Set<CallContext>();

  constructor(private readonly session: Session) {}

  /** Calls and streams that this side is still working on. */
  get active(): number {
    return this.#running.size + this.#streaming.size;
  }

  /** Resolves when nothing runs any more but `left` calls. */
  idle(left = 0): Promise<void> {
    return this.active <= left ? Promise.resolve() : new Promise((resolve) => this.#idle.push({ left, resolve }));
  }

  /** Calls under way hold so much that it has to be weighed. */
  get crowded(): boolean {
    return this.#held > FEW_BYTES;
  }

  /** `imports`: what the arguments brought along; `bytes`: what they take. @throws ProtocolError */
  call(id: number, number: unknown, args: unknown, meta: unknown, imports: Imports | undefined, bytes: number): void {
    const { service } = this.session;
    // An index and nothing else: an array has other properties, too.
    const method = isReference(number) ? service?.methods[number] : undefined;
    const context = this.#contextOf(service?.name ?? '', method?.name ?? nameOf(number), meta, imports);
    const list = this.#checked(id, args);
    if (!service || !method) {
      this.#refuse(id, context, new MethodNotFoundError(`${service?.name ?? 'the peer'} has no method number ${nameOf(number)}`, { method: nameOf(number), methods: service?.methods.map(({ name }) => name) ?? [] }));
      return;
    }
    if (this.#refused(id, context, bytes)) return;
    const { concurrency } = method.spec;
    if (concurrency === undefined) {
      this.#run(id, context, method.invoke, list, bytes);
      return;
    }
    this.#enter(id, context, bytes);
    const start = () => {
      // Nobody waits for it any more, or nobody is left to tell.
      if (context.abandoned || this.session.closed) {
        this.#finished(id, context);
        return;
      }
      method.active++;
      context.onSettled = () => next(method, concurrency);
      this.#run(id, context, method.invoke, list, bytes);
    };
    if (method.active < concurrency && method.waiting.length === 0) start();
    else method.waiting.push(start);
  }

  /** A call of something that was lent: `member` is '' for a function itself. @throws ProtocolError */
  callReference(id: number, { reference, member }: { reference: unknown; member: unknown }, args: unknown, meta: unknown, imports: Imports | undefined, bytes: number): void {
    if (!isReference(reference) || typeof member !== 'string') throw new ProtocolError('a call of something that is no reference');
    const exported = this.session.exports.get(reference);
    const context = this.#contextOf(this.session.options.self, member || 'callback', meta, imports);
    const list = this.#checked(id, args);
    if (!exported) this.#refuse(id, context, new CallbackReleasedError(`what ${this.session.options.self} had lent${member ? ` (called for ${member}())` : ''} was released: its call has settled, or it was let go; keep(fn) holds a function longer`));
    else if (!this.#refused(id, context, bytes)) {
      if (exported.passesOn) context.passedOn = true;
      // A callback that brings no context runs without one: an AsyncLocalStorage in use slows down every promise of the caller's thread.
      this.#run(id, context, (given) => exported.invoke(member, given, context), list, bytes, meta !== undefined);
    }
  }

  cancel(id: number, reason: unknown): void {
    const context = this.#running.get(id);
    context?.abandon(reason);
  }

  ended(reason: Error): void {
    for (const context of [...this.#running.values(), ...this.#streaming]) context.abandon(reason);
  }

  /** Sends an error behind `head`; an error that cannot cross is replaced by one that says so. Never throws. */
  sendFailure(head: unknown[], error: unknown): void {
    try {
      this.session.sendValue(head, error, 'error');
    } catch (uncloneable) {
      if (uncloneable instanceof FrameTooLargeError && isError(error) && this.#sendSlim(head, error)) return;
      // Whatever that is: it may be an object of the user's that fails when it is touched.
      const reason = uncloneable instanceof MimasError ? uncloneable : new NotCloneableError(`what was thrown cannot be sent: ${describe(error)}`, { path: 'error' });
      this.session.sendValue(head, reason, 'error');
    }
  }

  #sendSlim(head: unknown[], error: Error): boolean {
    try {
      this.session.sendValue(head, slimError(error, { level: this.session.options.link.level, maxFrame: this.session.limits.maxFrame }), 'error');
      return true;
    } catch {
      return false;
    }
  }

  #contextOf(process: string, method: string, meta: unknown, imports: Imports | undefined): CallContext {
    const { session } = this;
    const context = readMeta(process, method, session.peer, meta, session.options.link.trusted);
    context.brought = imports;
    return context;
  }

  /** The arguments of call `id`. @throws ProtocolError */
  #checked(id: number, args: unknown): unknown[] {
    if (!Array.isArray(args) || args.length > this.session.limits.maxArguments) throw new ProtocolError(`arguments that are no list, or more than ${this.session.limits.maxArguments}`);
    if (this.#running.get(id)) throw new ProtocolError(`a second call of the number ${id} while the first is under way`);
    return args;
  }

  /** A peer that floods this side with calls is told so, instead of filling its memory. */
  #refused(id: number, context: CallContext, bytes: number): boolean {
    const { maxServed, maxServedBytes } = this.session.limits;
    const crowd = this.active >= maxServed ? `${maxServed} calls` : this.#held + bytes > maxServedBytes ? `calls with ${maxServedBytes} bytes of arguments` : undefined;
    if (!crowd) return false;
    this.#refuse(id, context, new QueueFullError(`${context.process}.${context.method}(): ${crowd} of ${context.caller} run already`, { process: context.process, maxQueue: maxServed, retryAfter: 100 }));
    return true;
  }

  /** It is under way from now on. */
  #enter(id: number, context: CallContext, bytes: number): void {
    this.#running.set(id, context);
    this.#held += bytes - context.bytes;
    context.bytes = bytes;
  }

  #run(id: number, context: CallContext, invoke: (args: unknown[]) => unknown, args: unknown[], bytes: number, inContext = true): void {
    let result: unknown;
    try {
      result = inContext ? runInContext(context, invoke, args) : invoke(args);
      if (isThenable(result)) {
        // Of a promise this is the promise itself; what only looks like one is followed as the language does.
        const promise = Promise.resolve(result);
        this.#enter(id, context, bytes);
        promise.then(
          (value) => this.#succeed(id, context, value),
          (error: unknown) => this.#fail(id, context, error),
        );
        return;
      }
    } catch (error) {
      this.#fail(id, context, error);
      return;
    }
    this.#succeed(id, context, result);
  }

  #succeed(id: number, context: CallContext, value: unknown): void {
    if (context.abandoned || this.session.closed) {
      discard(value);
      this.#finished(id, context);
      return;
    }
    try {
      // Functions in a result live until the caller drops them, so they are not part of a scope.
      this.session.sendResult(id, value, transferOf(value));
    } catch (error) {
      discard(value);
      this.#answerFailure(Kind.ERROR, id, context, nameMethod(error, context.process, context.method));
      return;
    }
    const streams = this.session.started;
    if (streams.length === 0) {
      this.#finished(id, context);
      return;
    }
    // The call goes on until its streams end: callbacks stay good, leaving a stream aborts the signal.
    this.#running.take(id);
    this.#streaming.add(context);
    const open = new Set(streams);
    const read = new Set(streams);
    for (const stream of streams) {
      stream.context = context;
      stream.onLeave(() => {
        const reason = new DOMException('the consumer left the stream', 'AbortError');
        context.abort(reason);
        // Nobody is left to read: a producer that waits for what it was given must not wait for ever.
        if (read.delete(stream) && read.size === 0) context.brought?.interrupt(reason);
      });
      stream.onEnd(() => {
        read.delete(stream);
        if (open.delete(stream) && open.size === 0) this.#finished(id, context);
      });
    }
  }

  #fail(id: number, context: CallContext, error: unknown): void {
    // The method that the caller named is the one that the call is passed on to.
    if (context.passedOn && isRefusal(error)) this.#refuse(id, context, error);
    else this.#answerFailure(Kind.ERROR, id, context, error);
  }

  /** Nothing of it has run. */
  #refuse(id: number, context: CallContext, error: unknown): void {
    this.#answerFailure(Kind.REFUSED, id, context, error);
  }

  #answerFailure(kind: number, id: number, context: CallContext, error: unknown): void {
    if (!context.abandoned && !this.session.closed) this.sendFailure([kind, id], error);
    this.#finished(id, context);
  }

  #finished(id: number, context: CallContext): void {
    // A number that is free may be in use by another call by now.
    if (this.#running.get(id) === context) this.#running.take(id);
    this.#streaming.delete(context);
    this.#held -= context.bytes;
    context.bytes = 0;
    context.brought?.release();
    context.brought = undefined;
    const { onSettled } = context;
    context.onSettled = undefined;
    onSettled?.();
    if (this.#idle.length > 0) {
      for (const { left, resolve } of this.#idle) if (this.active <= left) resolve();
      this.#idle = this.#idle.filter(({ left }) => this.active > left);
    }
  }
}

/** Frees a place. A loop, because a method that is done at once frees its place while it is being started. */
function next(method: ServiceMethod, concurrency: number): void {
  method.active--;
  if (method.draining) return;
  method.draining = true;
  while (method.active < concurrency) {
    const start = method.waiting.shift();
    if (!start) break;
    start();
  }
  method.draining = false;
}

/** A stream that nobody will read is left, so that its `finally` runs. */
function discard(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    const stream = value as { return?: (value?: unknown) => unknown; cancel?: () => unknown; next?: unknown };
    const left = typeof stream.next === 'function' && typeof stream.return === 'function' ? stream.return() : stream instanceof ReadableStream ? stream.cancel() : undefined;
    if (left instanceof Promise) left.catch(() => {});
  } catch {
    // Nobody is left to tell.
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  value !== null && (typeof value === 'object' || typeof value === 'function') && typeof (value as { then?: unknown }).then === 'function';

const nameOf = (number: unknown): string => (typeof number === 'number' ? String(number) : typeof number);
