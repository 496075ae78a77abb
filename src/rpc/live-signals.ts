// AbortSignals across a link: one that is lent is followed over there, and aborts there when it aborts here.
// Invariant: a signal of an argument is followed for the length of its call, any other for as long as it can abort: it is lent once a
// link, however often it crosses, and forgotten on both sides when it has aborted or its owner has let go of it.
import { offAbort, onAbort } from './abort-listeners.js';
import { Kind } from './frames.js';
import type { Scope } from './references.js';
import type { Session } from './session.js';
import { reasonToWire, signalFrom } from './signals.js';

export class LiveSignals {
  /** Those of the peer that are followed here. */
  readonly #followed = new Map<number, AbortController>();
  /** Those of this side that the peer follows beyond a call. */
  readonly #lent = new WeakMap<AbortSignal, number>();
  #collected: FinalizationRegistry<number> | undefined;

  constructor(private readonly session: Session) {}

  /** How many of the peer's are followed. */
  get size(): number {
    return this.#followed.size;
  }

  /** Describes `signal`. `lend` puts what it is given into the table of the link, for the length of `scope` if there is one. */
  export(signal: AbortSignal, scope: Scope | undefined, lend: (exported: { invoke(): unknown; release(): void }) => number): unknown[] {
    if (signal.aborted) return [0, reasonToWire(signal.reason)];
    const known = scope ? undefined : this.#lent.get(signal);
    if (known !== undefined && this.session.exports.get(known)) return [known];
    // Not held from here: nobody can abort what nobody holds.
    const source = new WeakRef(signal);
    const aborted = () => {
      this.session.sendReason([Kind.ABORT, reference], source.deref()?.reason);
      this.session.exports.release(reference);
    };
    const reference = lend({ invoke: () => undefined, release: () => letGo(source.deref(), aborted) });
    onAbort(signal, aborted);
    if (!scope) {
      this.#lent.set(signal, reference);
      this.#collected ??= new FinalizationRegistry((gone) => this.#forgetLent(gone));
      this.#collected.register(signal, reference);
    }
    return [reference];
  }

  /** The signal that the peer described, and whether it is followed from now on. */
  import(reference: number, reason: unknown): { signal: AbortSignal; follows: boolean } {
    const known = this.#followed.get(reference);
    if (known) return { signal: known.signal, follows: false };
    const controller = signalFrom(reason);
    const follows = !controller.signal.aborted;
    if (follows) this.#followed.set(reference, controller);
    return { signal: controller.signal, follows };
  }

  abort(reference: number, reason: unknown): void {
    const controller = this.#followed.get(reference);
    this.#followed.delete(reference);
    controller?.abort(reason);
  }

  /** It will not abort any more, or nobody is interested. */
  forget(reference: number): void {
    this.#followed.delete(reference);
  }

  /** The link is gone. */
  ended(reason: () => Error): void {
    const signals = [...this.#followed.values()];
    this.#followed.clear();
    for (const controller of signals) controller.abort(reason());
  }

  #forgetLent(reference: number): void {
    if (!this.session.exports.get(reference)) return;
    this.session.exports.release(reference);
    this.session.send(Kind.FORGET, reference);
  }
}

const letGo = (signal: AbortSignal | undefined, listener: () => void): void => void (signal && offAbort(signal, listener));
