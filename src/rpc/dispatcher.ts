// Serves calls: number to method, method to result. Only what a Service lists or this side has lent out can be reached.
import { CallbackReleasedError, MethodNotFoundError, ProtocolError, QueueFullError } from '../errors.js';
import { runInContext, type CallContext } from './context.js';
import { DEFAULT_LIMITS, Kind } from './frames.js';
import { IdTable } from './id-table.js';
import { isRefusal } from './maybe-executed.js';
import { readMeta } from './meta.js';
import type { ServiceMethod } from './service.js';
import type { Session } from './session.js';
import { transferOf } from './transfer.js';
import { nameMethod } from './uncloneable.js';

export class Dispatcher {
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

  call(id: number, number: number, args: unknown, meta: unknown): void {
    const { service } = this.session;
    // An index and nothing else: an array has other properties, too.
    const method = Number.isInteger(number) ? service?.methods[number] : undefined;
    const context = this.#contextOf(service?.name ?? '', method?.name ?? String(number), meta);
    if (!Array.isArray(args) || !Number.isInteger(id)) throw new ProtocolError('a call without a number, or arguments that are not a list');
    if (!service || !method) {
      this.#refuse(id, context, new MethodNotFoundError(`${service?.name ?? 'the peer'} has no method number ${number}`, { method: String(number), methods: service?.methods.map(({ name }) => name) ?? [] }));
      return;
    }
    if (this.#refused(id, context)) return;
    const { concurrency } = method.spec;
    if (concurrency === undefined) {
      this.#run(id, context, method.invoke, args);
      return;
    }
    this.#running.set(id, context);
    const start = () => {
      if (context.abandoned) {
        this.#finished(id, context);
        return;
      }
      method.active++;
      context.onSettled = () => next(method, concurrency);
      this.#run(id, context, method.invoke, args);
    };
    if (method.active < concurrency && method.waiting.length === 0) start();
    else method.waiting.push(start);
  }

  callReference(id: number, reference: number, member: string, args: unknown, meta: unknown): void {
    const exported = this.session.exports.get(reference);
    const context = this.#contextOf(this.session.options.self, member || 'callback', meta);
    if (!Array.isArray(args) || !Number.isInteger(id)) throw new ProtocolError('a call without a number, or arguments that are not a list');
    if (!exported) this.#refuse(id, context, new CallbackReleasedError(`what ${this.session.options.self} had lent${member ? ` (called for ${member}())` : ''} was released: its call has settled, or it was let go; keep(fn) holds a function longer`));
    else if (!this.#refused(id, context)) {
      if (exported.passesOn) context.passedOn = true;
      // A callback that brings no context runs without one: an AsyncLocalStorage in use slows down every promise of the caller's thread.
      this.#run(id, context, (list) => exported.invoke(member, list, context), args, meta !== undefined);
    }
  }

  cancel(id: number, reason: unknown): void {
    const context = this.#running.get(id);
    context?.abandon(reason);
  }

  ended(reason: Error): void {
    for (const context of [...this.#running.values(), ...this.#streaming]) context.abandon(reason);
  }

  /** Sends an error behind `head`; an error that cannot cross is replaced by one that says so. */
  sendFailure(head: unknown[], error: unknown): void {
    try {
      this.session.sendValue(head, error, 'error');
    } catch (uncloneable) {
      this.session.sendValue(head, uncloneable, 'error');
    }
  }

  #contextOf(process: string, method: string, meta: unknown): CallContext {
    const { session } = this;
    const context = readMeta(process, method, session.peer, meta, session.options.link.trusted);
    context.brought = session.live.takeBrought();
    return context;
  }

  /** A peer that floods this side with calls is told so, instead of filling its memory. */
  #refused(id: number, context: CallContext): boolean {
    const limit = this.session.options.maxServed ?? DEFAULT_LIMITS.maxServed;
    if (this.active < limit) return false;
    this.#refuse(id, context, new QueueFullError(`${context.process}.${context.method}(): ${limit} calls of ${context.caller} run already`, { process: context.process, maxQueue: limit, retryAfter: 100 }));
    return true;
  }

  #run(id: number, context: CallContext, invoke: (args: unknown[]) => unknown, args: unknown[], inContext = true): void {
    let result: unknown;
    try {
      result = inContext ? runInContext(context, invoke, args) : invoke(args);
    } catch (error) {
      this.#fail(id, context, error);
      return;
    }
    if (result !== null && typeof result === 'object' && typeof (result as PromiseLike<unknown>).then === 'function') {
      this.#running.set(id, context);
      (result as PromiseLike<unknown>).then(
        (value) => this.#succeed(id, context, value),
        (error: unknown) => this.#fail(id, context, error),
      );
    } else this.#succeed(id, context, result);
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
      this.#fail(id, context, nameMethod(error, context.process, context.method));
      return;
    }
    const streams = this.session.started;
    if (streams.length === 0) {
      this.#finished(id, context);
      return;
    }
    // The call goes on until its streams end: callbacks stay good, leaving the stream aborts the signal.
    this.#running.take(id);
    this.#streaming.add(context);
    let open = streams.length;
    for (const stream of streams) {
      stream.context = context;
      stream.onLeave(() => context.abort(new DOMException('the consumer left the stream', 'AbortError')));
      stream.onEnd(() => --open === 0 && this.#finished(id, context));
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
    // A peer may have used the number twice.
    if (this.#running.get(id) === context) this.#running.take(id);
    this.#streaming.delete(context);
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
  const stream = value as { return?: (value?: unknown) => unknown; cancel?: () => unknown; next?: unknown } | null;
  if (typeof stream !== 'object' || stream === null) return;
  try {
    const left = typeof stream.next === 'function' && typeof stream.return === 'function' ? stream.return() : stream instanceof ReadableStream ? stream.cancel() : undefined;
    if (left instanceof Promise) left.catch(() => {});
  } catch {
    // Nobody is left to tell.
  }
}
