// Which components have registered with the control plane, and when each was heard of last. No network in here.
import { UnitNotFoundError } from '../errors.js';
import { systemClock, type Clock, type Timer } from '../supervisor/clock.js';

export type HealthName = 'UNKNOWN' | 'STARTING' | 'HEALTHY' | 'DEGRADED' | 'UNHEALTHY' | 'STOPPING';
export type TypeName = 'UNSPECIFIED' | 'SOURCE' | 'PROCESSOR' | 'CONSUMER';

export interface ComponentInfo {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly type: TypeName;
  readonly inputEventTypes: readonly string[];
  readonly outputEventTypes: readonly string[];
  readonly endpoint: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Registration {
  readonly info: ComponentInfo;
  readonly status: HealthName;
  readonly lastHeartbeat: number;
  readonly registeredAt: number;
  readonly metrics: Readonly<Record<string, string>>;
}

export interface RegistryOptions {
  /** Silent for so long is unhealthy, ms. Default 30 s. */
  readonly ttl?: number | undefined;
  /** How often silence is looked for while nobody asks, ms. Default 10 s. */
  readonly janitorInterval?: number | undefined;
  /** What a component reads from. */
  readonly inputsOf?: ((id: string) => readonly string[]) | undefined;
  readonly onChange?: ((id: string, status: HealthName, from: HealthName | undefined) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** `statusBefore` is what a component said of itself before it fell silent. */
type Entry = { -readonly [K in keyof Registration]: Registration[K] } & { statusBefore: HealthName | undefined };

export class Registry {
  readonly #entries = new Map<string, Entry>();
  /** Who is not ready, whatever he says of himself: nobody is sent there. */
  readonly #unready = new Set<string>();
  readonly #options: RegistryOptions;
  readonly #clock: Clock;
  #janitor: Timer | undefined;
  #next = 1;

  constructor(options: RegistryOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Registering again replaces what was known: a restarted component comes back under its id. */
  register(info: ComponentInfo, id: string): { serviceId: string; topics: string[]; connections: Record<string, string> } {
    const serviceId = id || info.id || `component-${this.#next++}`;
    const now = this.#clock.now();
    const from = this.#entries.get(serviceId)?.status;
    this.#entries.set(serviceId, { info: { ...info, id: serviceId }, status: 'HEALTHY', statusBefore: undefined, lastHeartbeat: now, registeredAt: now, metrics: {} });
    this.#options.onChange?.(serviceId, 'HEALTHY', from);
    this.#arm();
    const inputs = this.#options.inputsOf?.(serviceId) ?? [];
    return {
      serviceId,
      topics: info.outputEventTypes.map((type) => `${type}.v1`),
      connections: Object.fromEntries(this.list({ includeUnhealthy: false }).filter(({ info }) => info.endpoint && inputs.includes(info.id)).map(({ info }) => [info.id, info.endpoint])),
    };
  }

  /** @throws UnitNotFoundError for an id that has not registered */
  heartbeat(id: string, status: HealthName, metrics: Readonly<Record<string, string>>): void {
    const entry = this.#known(id);
    entry.lastHeartbeat = this.#clock.now();
    entry.metrics = { ...entry.metrics, ...metrics };
    const back = entry.statusBefore;
    entry.statusBefore = undefined;
    // A component that says nothing of itself is as it was before it fell silent.
    this.#set(id, entry, status === 'UNKNOWN' ? (back ?? entry.status) : status);
  }

  /** @throws UnitNotFoundError */
  unregister(id: string): void {
    this.#known(id);
    this.remove(id);
  }

  remove(id: string): void {
    this.#entries.delete(id);
    this.#unready.delete(id);
  }

  /** What whoever looks after it says. While it is not ready it counts as unhealthy. */
  setReady(id: string, ready: boolean): void {
    if (ready) this.#unready.delete(id);
    else this.#unready.add(id);
  }

  get(id: string): Registration | undefined {
    this.#sweep();
    const entry = this.#entries.get(id);
    return entry && this.#seen(entry);
  }

  /** @throws UnitNotFoundError */
  status(id: string): Registration {
    this.#sweep();
    return this.#seen(this.#known(id));
  }

  list({ type, includeUnhealthy = true }: { type?: TypeName; includeUnhealthy?: boolean } = {}): Registration[] {
    this.#sweep();
    return [...this.#entries.values()].map((entry) => this.#seen(entry)).filter((entry) => fits(entry, type) && (includeUnhealthy || entry.status !== 'UNHEALTHY'));
  }

  /** Of the healthy ones: any of the event types, all of the metadata. */
  discover({ type, eventTypes = [], metadata = {} }: { type?: TypeName; eventTypes?: readonly string[]; metadata?: Readonly<Record<string, string>> }): ComponentInfo[] {
    return this.list({ ...(type && { type }), includeUnhealthy: false })
      .map(({ info }) => info)
      .filter((info) => eventTypes.length === 0 || eventTypes.some((one) => info.inputEventTypes.includes(one) || info.outputEventTypes.includes(one)))
      .filter((info) => Object.entries(metadata).every(([key, value]) => info.metadata[key] === value));
  }

  close(): void {
    if (this.#janitor) this.#clock.clearTimeout(this.#janitor);
    this.#janitor = undefined;
    this.#entries.clear();
  }

  #arm(): void {
    this.#janitor ??= this.#clock.setTimeout(() => {
      this.#janitor = undefined;
      this.#sweep();
      if (this.#entries.size > 0) this.#arm();
    }, this.#options.janitorInterval ?? 10_000, { unref: true });
  }

  /** Whoever asks hears of silence at once; the janitor is for those who wait for changes. */
  #sweep(): void {
    const oldest = this.#clock.now() - (this.#options.ttl ?? 30_000);
    for (const [id, entry] of this.#entries) {
      if (entry.status === 'UNHEALTHY' || entry.lastHeartbeat > oldest) continue;
      entry.statusBefore = entry.status;
      this.#set(id, entry, 'UNHEALTHY');
    }
  }

  #seen(entry: Entry): Registration {
    return this.#unready.has(entry.info.id) ? { ...entry, status: 'UNHEALTHY' } : entry;
  }

  #set(id: string, entry: Entry, status: HealthName): void {
    const from = entry.status;
    entry.status = status;
    if (from !== status) this.#options.onChange?.(id, status, from);
  }

  #known(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new UnitNotFoundError(`service ${id} not found`, { id });
    return entry;
  }
}

const fits = ({ info }: Registration, type: TypeName | undefined): boolean => type === undefined || type === 'UNSPECIFIED' || info.type === type;
