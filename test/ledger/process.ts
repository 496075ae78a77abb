// The methods of the ledger process (test/fixtures/ledger/ledger.js), as its callers see them.

/** How a call that the process made ended. */
export interface Outcome { ok: boolean; value?: unknown; code?: string; mimas?: boolean; maybeExecuted?: boolean }

type Tell = (item: number) => unknown;

export interface LedgerProcess {
  where(): number;
  value<T>(id: string, value: T): T;
  again<T>(id: string, value: T): T;
  slow(id: string, ms: number): Promise<number>;
  slowAgain(id: string, ms: number): Promise<number>;
  alone(id: string, ms: number): Promise<number>;
  fails(id: string, message: string): void;
  unsendable(id: string): unknown;
  large(id: string, bytes: number): Uint8Array;
  leaves(id: string): void;
  leaveLater(ms: number): void;
  leaveFirst(id: string): void;
  eats(id: string): void;
  count(id: string, n: number, ms?: number): AsyncGenerator<number>;
  sum(id: string, stream: AsyncIterable<number> | Iterable<number>): Promise<number>;
  doubled(id: string, stream: AsyncIterable<number> | Iterable<number>): AsyncGenerator<number>;
  each(id: string, items: number[], tell: Tell): Promise<Outcome[]>;
  subscribe(id: string, name: string, tell: Tell): string;
  notify(id: string, name: string, item: number): Promise<Outcome | undefined>;
  unsubscribe(id: string, name: string): boolean;
  waits(id: string, signal: AbortSignal, ms: number): Promise<string>;
  untilGivenUp(id: string): Promise<void>;
  passOn(id: string, other: object, method: string, args: unknown[]): Promise<Outcome>;
  letThrough(id: string, other: object, method: string, args: unknown[]): Promise<unknown>;
  passOnWith(id: string, options: object, other: object, method: string, args: unknown[]): Promise<Outcome>;
  throwGiven(id: string, error: unknown): void;
  callLater(id: string, tell: () => unknown, ms: number): Promise<void>;
  later(): Outcome | undefined;
}
