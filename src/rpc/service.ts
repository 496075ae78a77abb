// The one door of a process: its public methods by number. Lookup is an array index or a Map of decorated names, never a
// property path, so nothing that is not decorated can be reached.
import { ProtocolError } from '../errors.js';
import type { MethodSpec } from '../decorators/index.js';

export interface ServiceMethod {
  readonly name: string;
  readonly number: number;
  readonly spec: MethodSpec;
  readonly invoke: (args: unknown[]) => unknown;
  /** Running now; only counted when `concurrency` bounds it. */
  active: number;
  /** Starts the next of those that wait for `concurrency`. */
  readonly waiting: (() => void)[];
  /** Those that wait are being started. */
  draining: boolean;
}

export class Service {
  readonly methods: readonly ServiceMethod[];

  constructor(
    readonly name: string,
    instance: object,
    specs: Iterable<MethodSpec>,
  ) {
    this.methods = Array.from(specs, (spec, number) => {
      const method = (instance as Record<string, (...args: unknown[]) => unknown>)[spec.name]!;
      return { name: spec.name, number, spec, invoke: (args: unknown[]) => method.apply(instance, args), active: 0, waiting: [], draining: false };
    });
  }
}

/** What a client knows of a method from the handshake. */
export interface MethodInfo {
  readonly name: string;
  readonly number: number;
  readonly stream: boolean;
  readonly timeout: number | undefined;
  readonly idempotent: boolean;
  readonly concurrency: number | undefined;
}

/** Names that decorators refuse, so no honest process has them. */
const RESERVED = /^(?:\$|__|(?:constructor|init|then)$)/;

export function describeService(service: Service): unknown[] {
  return service.methods.flatMap(({ spec }) => [spec.name, spec.stream ? 1 : 0, spec.timeout ?? -1, spec.idempotent ? 1 : 0, spec.concurrency ?? 0]);
}

/** @throws ProtocolError when a name could not stand on a proxy */
export function readService(slots: readonly unknown[]): MethodInfo[] {
  const methods: MethodInfo[] = [];
  for (let i = 0; i + 4 < slots.length; i += 5) {
    if (typeof slots[i] !== 'string' || RESERVED.test(slots[i] as string)) throw new ProtocolError(`a process cannot have a method of the name ${JSON.stringify(slots[i])}`);
    const timeout = Number(slots[i + 2]);
    methods.push({
      name: String(slots[i]),
      number: methods.length,
      stream: slots[i + 1] === 1,
      timeout: timeout >= 0 ? timeout : undefined,
      idempotent: slots[i + 3] === 1,
      concurrency: Number(slots[i + 4]) || undefined,
    });
  }
  return methods;
}
