// The control plane over gRPC: flowctl.v1.ControlPlaneService in front of the registry, with reflection.
// gRPC is loaded when it is first listened; nothing else of a pipeline needs it.
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { handleUnaryCall, sendUnaryData, Server, ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { InvalidOptionError, UnauthorizedError, UnitNotFoundError } from '../errors.js';
import { missingFor } from '../optional.js';
import { takenPort } from '../runtime/listeners.js';
import { describedBy } from '../runtime/proto-descriptors.js';
import { ControlPlaneAccess, ForbiddenError, type AccessOptions, type Caller } from './control-plane-access.js';
import type { ControlPlanePlace } from './orchestrator.js';
import { uidOfPeer } from './peer-user.js';
import { Registry, type ComponentInfo, type HealthName, type Registration, type RegistryOptions, type TypeName } from './registry.js';

/** Beside this file; the build copies it. */
export const CONTROL_PLANE_PROTO = fileURLToPath(new URL('./proto/control_plane.proto', import.meta.url));

export interface ControlPlaneOptions extends RegistryOptions, AccessOptions {
  /** Default 8080; 0 takes a free one. */
  readonly port?: number | undefined;
  /** When the port is taken: take a free one, instead of an error. */
  readonly elsewhere?: boolean | undefined;
  /** Addresses to listen on instead of those that the orchestrator needs. */
  readonly hosts?: readonly string[] | undefined;
}

/** Of each kind of error the status that says it. */
const STATUS = [[UnitNotFoundError, 'NOT_FOUND'], [InvalidOptionError, 'INVALID_ARGUMENT'], [UnauthorizedError, 'UNAUTHENTICATED'], [ForbiddenError, 'PERMISSION_DENIED']] as const;

type Method = (request: never, caller: Caller) => object;

interface WireInfo { id: string; name: string; description: string; version: string; type: string; input_event_types: string[]; output_event_types: string[]; endpoint: string; metadata: Record<string, string> }

async function loadGrpc() {
  const missing = missingFor('the control plane of a pipeline');
  return [await import('@grpc/grpc-js').catch(missing), await import('@grpc/proto-loader').catch(missing), await import('@grpc/reflection').catch(missing)] as const;
}

/** @throws PackageMissingError when there can be no control plane */
export async function requireGrpc(): Promise<void> {
  await loadGrpc();
}

export class ControlPlane {
  readonly registry: Registry;
  readonly #access: ControlPlaneAccess;
  readonly #options: ControlPlaneOptions;
  #server: Server | undefined;
  #port = 0;

  constructor(options: ControlPlaneOptions = {}) {
    this.#options = options;
    this.registry = new Registry(options);
    this.#access = new ControlPlaneAccess(options);
  }

  /** What a component shows to speak for itself, and to read. */
  tokenOf(id: string): string {
    return this.#access.tokenOf(id);
  }

  /**
   * Resolves with what components are told: an address with a port that is the same on all hosts, and none of `reserved`.
   * @throws InvalidOptionError when it is taken
   */
  async listen({ listen: hosts, tell }: ControlPlanePlace, reserved: ReadonlySet<number> = new Set()): Promise<string> {
    const [grpc, loader, { ReflectionService }] = await loadGrpc();
    const definition = await loader.load(CONTROL_PLANE_PROTO, { keepCase: true, enums: String, defaults: true, includeDirs: [] });
    const server = new grpc.Server();
    const handle = (work: Method): handleUnaryCall<never, object> => (call: ServerUnaryCall<never, object>, done: sendUnaryData<object>) => {
      try {
        const [shown] = call.metadata.get('authorization');
        const caller: Caller = { authorization: shown === undefined ? undefined : String(shown), uid: () => uidOfPeer(call.getPeer(), this.#port) };
        done(null, work(call.request, caller));
      } catch (error) {
        const [, name = 'INTERNAL'] = STATUS.find(([kind]) => error instanceof kind) ?? [];
        done({ code: grpc.status[name], details: (error as Error).message });
      }
    };
    server.addService(definition['flowctl.v1.ControlPlaneService'] as ServiceDefinition, Object.fromEntries(Object.entries(this.#methods()).map(([name, work]) => [name, handle(work)])) as unknown as UntypedServiceImplementation);
    new ReflectionService(describedBy(new URL('./proto/descriptors.pb', import.meta.url)) as never).addToServer(server);
    const bind = (host: string, port: number) =>
      new Promise<void>((resolve, reject) => server.bindAsync(`${host.includes(':') ? `[${host}]` : host}:${port}`, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())));
    const { port: wanted = 8080, elsewhere = false } = this.#options;
    this.#server = server;
    const [first = '127.0.0.1', ...others] = this.#options.hosts ?? hosts;
    // Asked beforehand: gRPC would print the refusal itself.
    const needed = reserved.has(wanted);
    const free = !needed && (wanted === 0 || (await listenable(first, wanted).then(() => true, () => false)));
    if (!free && !elsewhere) {
      const why = needed ? 'a component has that port' : ((await takenPort([{ port: wanted, protocol: 'tcp', host: first }])) ?? 'it is taken');
      throw new InvalidOptionError(`the control plane cannot listen on ${first}:${wanted}: ${why}; --control-plane-port 0 takes a free port`, { option: 'controlPlane.port' });
    }
    const port = free && wanted !== 0 ? wanted : await freePort(first, reserved);
    this.#port = port;
    for (const host of [first, ...others]) await bind(host, port);
    // An address that somebody chose is one that components can only be told, unless it means all or this machine.
    const chosen = this.#options.hosts?.[0];
    const told = chosen === undefined || ['0.0.0.0', '::', '127.0.0.1', '::1', 'localhost'].includes(chosen) ? tell : chosen;
    return `http://${told.includes(':') ? `[${told}]` : told}:${port}`;
  }

  async close(): Promise<void> {
    this.registry.close();
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  #methods(): Record<string, Method> {
    const { registry } = this;
    const access = this.#access;
    return {
      RegisterComponent({ component, component_id: id }: { component: WireInfo | null; component_id: string }, caller) {
        const own = access.toSpeakFor(id || component?.id || '', caller);
        if (!component && !own) throw new InvalidOptionError('component is required', { option: 'component' });
        const { serviceId, topics, connections } = registry.register(fromWire(component), own);
        return { service_id: serviceId, assigned_topics: topics, connection_info: connections };
      },
      UnregisterComponent({ service_id: id }: { service_id: string }, caller) {
        registry.unregister(access.toSpeakFor(id, caller));
        return {};
      },
      DiscoverComponents({ type, event_types: eventTypes, metadata_filters: metadata }: { type: string; event_types: string[]; metadata_filters: Record<string, string> }, caller) {
        access.toRead(caller);
        return { components: registry.discover({ type: typeOf(type), eventTypes, metadata }).map(toWire) };
      },
      Heartbeat({ service_id: id, status, metrics }: { service_id: string; status: string; metrics: Record<string, string> }, caller) {
        registry.heartbeat(access.toSpeakFor(id, caller), status.replace('HEALTH_STATUS_', '') as HealthName, metrics);
        return {};
      },
      GetComponentStatus({ service_id: id }: { service_id: string }, caller) {
        access.toRead(caller);
        return statusToWire(registry.status(id));
      },
      ListComponents({ type_filter: type, include_unhealthy: includeUnhealthy }: { type_filter: string; include_unhealthy: boolean }, caller) {
        access.toRead(caller);
        return { components: registry.list({ type: typeOf(type), includeUnhealthy }).map(statusToWire) };
      },
    };
  }
}

/** The system may hand out a port that a component will want. */
async function freePort(host: string, reserved: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = await listenable(host, 0);
    if (!reserved.has(port)) return port;
  }
}

/** Resolves with the port, for 0 with one that the system hands out; rejects when it is taken. */
function listenable(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(wanted, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

const typeOf = (type: string): TypeName => type.replace('COMPONENT_TYPE_', '') as TypeName;

const fromWire = (info: WireInfo | null): ComponentInfo => ({
  id: info?.id ?? '',
  name: info?.name ?? '',
  description: info?.description ?? '',
  version: info?.version ?? '',
  type: typeOf(info?.type ?? 'UNSPECIFIED'),
  inputEventTypes: info?.input_event_types ?? [],
  outputEventTypes: info?.output_event_types ?? [],
  endpoint: info?.endpoint ?? '',
  metadata: info?.metadata ?? {},
});

const toWire = (info: ComponentInfo): WireInfo => ({
  id: info.id,
  name: info.name,
  description: info.description,
  version: info.version,
  type: `COMPONENT_TYPE_${info.type}`,
  input_event_types: [...info.inputEventTypes],
  output_event_types: [...info.outputEventTypes],
  endpoint: info.endpoint,
  metadata: { ...info.metadata },
});

const time = (ms: number) => ({ seconds: Math.floor(ms / 1000), nanos: Math.floor((ms % 1000) * 1e6) });
const statusToWire = ({ info, status, lastHeartbeat, registeredAt, metrics }: Registration) => ({
  component: toWire(info),
  status: `HEALTH_STATUS_${status}`,
  last_heartbeat: time(lastHeartbeat),
  registered_at: time(registeredAt),
  metrics: { ...metrics },
});
