// Serves calls: number to method, method to result. Only what a Service lists or this side has lent out can be reached.
import { LinkClosedError, MethodNotFoundError, ProtocolError } from '../errors.js';
import { CallContext, runInContext } from './context.js';
import { Kind } from './frames.js';
import type { Scope } from './references.js';
import type { ServiceMethod } from './service.js';
import { nameMethod, type Session } from './session.js';
import type { OutgoingStream } from './streams.js';
import { transferOf } from './transfer.js';

export class Dispatcher {
  readonly #running = new Map<number, CallContext>();
  #idle: { left: number; resolve: () => void }[] = [];
  #streams = 0;

  constructor(private readonly session: Session) {}

  /** Calls and streams that this side is still working on. */
  get active(): number {
    return this.#running.size + this.#streams;
  }

  /** Resolves when nothing runs any more but `left` calls. */
  idle(left = 0): Promise<void> {
    return this.active <= left ? Promise.resolve() : new Promise((resolve) => this.#idle.push({ left, resolve }));
  }

  call(id: number, number: number, args: unknown, meta: unknown): void {
    const { service } = this.session;
    const method = service?.methods[number];
    const context = this.#contextOf(service?.name ?? '', method?.name ?? String(number), meta);
    context.release = this.session.live.takeRelease();
    if (!Array.isArray(args)) throw new ProtocolError('arguments that are not a list');
    if (!service || !method) {
      this.#fail(id, context, new MethodNotFoundError(`${service?.name ?? 'the peer'} has no method number ${number}`, { method: String(number), methods: service?.methods.map(({ name }) => name) ?? [] }));
      return;
    }
    const { concurrency } = method.spec;
    if (concurrency === undefined) {
      this.#run(id, context, method.invoke, args);
      return;
    }
    this.#running.set(id, context);
    const start = () => {
      method.active++;
      context.onSettled = () => next(method);
      if (context.abandoned) this.#finished(id, context);
      else this.#run(id, context, method.invoke, args);
    };
    if (method.active < concurrency) start();
    else method.waiting.push(start);
  }

  callReference(id: number, reference: number, member: string, args: unknown, meta: unknown): void {
    const exported = this.session.exports.get(reference);
    const context = this.#contextOf(this.session.options.self, member || 'callback', meta);
    context.release = this.session.live.takeRelease();
    if (!Array.isArray(args)) throw new ProtocolError('arguments that are not a list');
    if (!exported) this.#fail(id, context, new LinkClosedError(`what was lent as reference ${reference} has been released`, { method: member }));
    else this.#run(id, context, (list) => exported.invoke(member, list, context.headers), args);
  }

  cancel(id: number, reason: unknown): void {
    const context = this.#running.get(id);
    if (!context) return;
    context.abandoned = true;
    context.abort(reason);
  }

  ended(reason: Error): void {
    for (const context of this.#running.values()) {
      context.abandoned = true;
      context.abort(reason);
    }
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
    const caller = this.session.options.peer;
    if (!Array.isArray(meta)) return new CallContext(process, method, caller, undefined);
    const timeLeft = Number(meta[0]);
    const deadline = timeLeft > 0 ? Date.now() + timeLeft : undefined;
    if (meta.length < 3) return new CallContext(process, method, caller, deadline);
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    for (let i = 1; i + 1 < meta.length; i += 2) headers[String(meta[i])] = String(meta[i + 1]);
    return new CallContext(process, method, headers['mimas-caller'] ?? caller, deadline, headers);
  }

  #run(id: number, context: CallContext, invoke: (args: unknown[]) => unknown, args: unknown[]): void {
    let result: unknown;
    try {
      result = runInContext(context, invoke, args);
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
    const { live } = this.session;
    if (context.abandoned || this.session.closed) {
      discard(value);
      this.#finished(id, context);
      return;
    }
    let streaming: OutgoingStream | undefined;
    // Functions in a result live until the caller drops them, so they are not part of a scope.
    const scope: Scope | undefined = undefined;
    live.onStreamStart = (stream) => (streaming = stream);
    try {
      this.session.sendResult(id, value, transferOf(value), scope);
    } catch (error) {
      discard(value);
      this.#fail(id, context, nameMethod(error, context.process, context.method));
      return;
    } finally {
      live.onStreamStart = undefined;
    }
    if (!streaming) {
      this.#finished(id, context);
      return;
    }
    // The call goes on until its stream ends: callbacks stay good, leaving the stream aborts the signal.
    this.#running.delete(id);
    this.#streams++;
    streaming.onEnd((left) => {
      this.#streams--;
      if (left) context.abort(new DOMException('the consumer left the stream', 'AbortError'));
      this.#finished(id, context);
    });
  }

  #fail(id: number, context: CallContext, error: unknown): void {
    if (!context.abandoned && !this.session.closed) this.sendFailure([Kind.ERROR, id], error);
    this.#finished(id, context);
  }

  #finished(id: number, context: CallContext): void {
    this.#running.delete(id);
    context.release?.();
    context.release = undefined;
    context.onSettled?.();
    context.onSettled = undefined;
    if (this.#idle.length > 0) {
      for (const { left, resolve } of this.#idle) if (this.active <= left) resolve();
      this.#idle = this.#idle.filter(({ left }) => this.active > left);
    }
  }
}

function next(method: ServiceMethod): void {
  method.active--;
  method.waiting.shift()?.();
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
