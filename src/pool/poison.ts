// Methods that end their replicas again and again: told of, and refused for a while where the option `poison` asks for it.
// Invariant: while no method is refused, a call pays one look at `active`.
import { CircuitOpenError } from '../errors.js';

export interface PoisonOptions {
  readonly deaths: number;
  readonly window: number;
}

export interface PoisonHost {
  now(): number;
  /** Calls of the method that got a result. */
  answered(method: string): number;
  /** From now on it is refused. */
  refused(method: string, refusal: CircuitOpenError): void;
}

/** What a warning goes by where the option is not given; a method that is answered so often for each death is rather a victim. */
const NOTEWORTHY: PoisonOptions = { deaths: 3, window: 60_000 };
const ANSWERS_A_DEATH = 100;

export class Poison {
  /** Some method is refused. */
  active = false;
  /** When replicas died with calls of the method, within the window. */
  readonly #deaths = new Map<string, number[]>();
  /** Until when it is refused, or said nothing more of. */
  readonly #until = new Map<string, number>();

  constructor(
    private readonly pool: { readonly name: string },
    private readonly options: PoisonOptions | undefined,
    private readonly host: PoisonHost,
  ) {}

  /** A replica has died; `methods` may have ended it. */
  died(methods: readonly string[]): void {
    const { deaths, window } = this.options ?? NOTEWORTHY;
    const now = this.host.now();
    for (const method of methods) {
      const recent = [...(this.#deaths.get(method) ?? []).filter((at) => now - at < window), now];
      this.#deaths.set(method, recent);
      if (recent.length < deaths || (this.#until.get(method) ?? 0) > now) continue;
      // The next ones are counted anew.
      this.#deaths.delete(method);
      this.#until.set(method, now + window);
      this.active = this.options !== undefined;
      this.#tell(method);
    }
  }

  /** Why calls of `method` are refused now. */
  refusal(method: string): CircuitOpenError | undefined {
    if (!this.active) return undefined;
    const now = this.host.now();
    for (const [name, until] of this.#until) if (until <= now) this.#until.delete(name);
    this.active = this.#until.size > 0;
    const until = this.#until.get(method);
    if (until === undefined) return undefined;
    const { deaths, window } = this.options!;
    const retryAfter = Math.max(1, Math.ceil(until - now));
    return new CircuitOpenError(`${this.pool.name}.${method}(): it has ended ${deaths} replicas within ${window} ms and is refused by the option poison; try again in ${retryAfter} ms`, { pool: this.pool.name, method, retryAfter });
  }

  #tell(method: string): void {
    const { deaths, window } = this.options ?? NOTEWORTHY;
    if (!this.options && this.host.answered(method) > ANSWERS_A_DEATH * deaths) return;
    const what = this.options ? `it is refused for ${window} ms` : 'the option poison refuses such a method for a while';
    process.emitWarning(`${this.pool.name}.${method}(): ${deaths} replicas of the pool died with calls of it within ${window} ms; ${what}`, 'MimasWarning');
    const refusal = this.refusal(method);
    if (refusal) this.host.refused(method, refusal);
  }
}
