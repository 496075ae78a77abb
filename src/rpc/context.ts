// What a method may know of the call it serves. Kept in an AsyncLocalStorage so that it survives awaits; the parts that
// cost something (the AbortController) are made on first use.
import { AsyncLocalStorage } from 'node:async_hooks';

/** The call that the running code serves. Outside of a call: a neutral context whose signal never aborts. */
export interface CurrentCall {
  /** Aborts when the caller cancels, times out, leaves the stream, or goes away. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds by which the caller wants the answer; calls made from here inherit it. */
  readonly deadline: number | undefined;
  /** Headers of the call, `traceparent` among them; calls made from here inherit them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Who calls: the name that its manager or process gave itself. */
  readonly caller: string;
  readonly process: string;
  readonly method: string;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export class CallContext implements CurrentCall {
  #controller: AbortController | undefined;
  #reason: { value: unknown } | undefined;
  /** Set once the caller no longer waits: the result is then dropped. */
  abandoned = false;
  /** What the arguments of the call brought along. */
  brought: { release(): void; interrupt(reason: unknown): void } | undefined;
  /** It is passed on to another process: that one is told who really calls. */
  relayed = false;
  /** It is not run here: the method that the caller means is elsewhere. */
  declare passedOn?: true;
  /** Options for the process it is passed on to, as they came. */
  options: string | undefined;
  /** What its arguments take while it is under way. */
  bytes = 0;
  /** Runs when the method and its stream are done; frees a place under `concurrency`. */
  onSettled: (() => void) | undefined;

  constructor(
    readonly process: string,
    readonly method: string,
    readonly caller: string,
    readonly deadline: number | undefined,
    readonly headers: Readonly<Record<string, string>> = NO_HEADERS,
  ) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason.value);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    if (this.#reason) return;
    this.#reason = { value: reason };
    this.#controller?.abort(reason);
  }

  /** The caller no longer waits. */
  abandon(reason: unknown): void {
    this.abandoned = true;
    this.abort(reason);
    this.brought?.interrupt(reason);
  }
}

const storage = new AsyncLocalStorage<CallContext>();
const OUTSIDE = new CallContext('', '', '', undefined);

/** The call that the running code serves: signal, deadline, headers, caller. */
export const currentCall = (): CurrentCall => storage.getStore() ?? OUTSIDE;

/** The context itself, or undefined outside of a call. */
export const currentContext = (): CallContext | undefined => storage.getStore();

/** Runs `body` with `context` as the current call. */
export const runInContext = <A, R>(context: CallContext, body: (argument: A) => R, argument: A): R => storage.run(context, body, argument);

/** A W3C `traceparent` (https://www.w3.org/TR/trace-context/) that continues `parent`, or starts a trace. */
export function nextTraceparent(parent?: string): string {
  const match = parent ? /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/.exec(parent) : null;
  return `00-${match?.[1] ?? hex(16)}-${hex(8)}-${match?.[2] ?? '01'}`;
}

function hex(bytes: number): string {
  let text = '';
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) text += byte.toString(16).padStart(2, '0');
  return text;
}
