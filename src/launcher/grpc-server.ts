// The gRPC side of a launcher: its service, the standard health service, and reflection, so that any client works without our
// files. Every call shows the token, unless there is none (health probes excepted, which cannot).
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, Server, ServerCredentials, ServerInterceptingCall, status, type handleServerStreamingCall, type handleUnaryCall, type sendUnaryData, type ServerInterceptor, type ServerUnaryCall, type ServerWritableStream, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { takenPort } from '../runtime/listeners.js';
import { describedBy } from '../runtime/proto-descriptors.js';
import { LauncherError } from './errors.js';
import { LAUNCHER_SERVICE, launcherService } from './grpc-service.js';
import type { Launcher } from './launcher.js';
import { tokenMatches, type ServerSide, type ServerTls, type SideOptions } from './server-side.js';

export interface GrpcSide extends ServerSide {
  /** Says NOT_SERVING, to watchers as well. */
  drain(): void;
}

const HEALTH = '/grpc.health.v1.Health/';
/** Calls under way when it closes have this long, ms. */
const CLOSE_MS = 1_000;

const loadProtos = () =>
  loadSync(['launcher.proto', 'health.proto'].map((name) => fileURLToPath(new URL(`./proto/${name}`, import.meta.url))), { enums: String, longs: Number, defaults: true });

function loadServices(protos: ReturnType<typeof loadProtos>): { PatternLauncher: ServiceClientConstructor; Health: ServiceClientConstructor } {
  const { prism, grpc } = loadPackageDefinition(protos) as unknown as {
    prism: { launcher: { PatternLauncher: ServiceClientConstructor } };
    grpc: { health: { v1: { Health: ServiceClientConstructor } } };
  };
  return { PatternLauncher: prism.launcher.PatternLauncher, Health: grpc.health.v1.Health };
}

/** The constructor of a client of the launcher's service. */
export const launcherClient = (): ServiceClientConstructor => loadServices(loadProtos()).PatternLauncher;

/** @throws LauncherError INVALID_CONFIGURATION when the port or the certificate cannot be used */
export async function startGrpc(launcher: Launcher, { host, port, token, tls }: SideOptions): Promise<GrpcSide> {
  const protos = loadProtos();
  const { PatternLauncher, Health } = loadServices(protos);
  const server = new Server({ interceptors: token === undefined ? [] : [requireToken(token)] });
  const health = new HealthService();
  server.addService(PatternLauncher.service, launcherService(launcher));
  server.addService(Health.service, { Check: health.check, Watch: health.watch });
  new ReflectionService(describedBy(new URL('./proto/descriptors.pb', import.meta.url)) as never).addToServer(server);
  // Asked beforehand: gRPC does not say why it cannot listen, and prints that itself.
  const taken = port === 0 ? undefined : await takenPort([{ port, protocol: 'tcp', host }]);
  if (taken !== undefined) throw unusable(host, port, new Error(taken));
  const bound = await new Promise<number>((resolve, reject) => {
    const done = (error: Error | null, actual: number) => (error ? reject(unusable(host, port, error)) : resolve(actual));
    try {
      server.bindAsync(`${host.includes(':') ? `[${host}]` : host}:${port}`, credentials(tls), done);
    } catch (error) {
      reject(unusable(host, port, error as Error));
    }
  });
  return {
    port: bound,
    drain: () => health.drain(),
    close: () => new Promise((resolve) => {
      health.close();
      const force = setTimeout(() => server.forceShutdown(), CLOSE_MS);
      server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    }),
  };
}

const unusable = (host: string, port: number, error: Error) =>
  new LauncherError('INVALID_CONFIGURATION', `gRPC cannot be served at ${host}:${port}: ${error.message}`, { context: { host, port }, suggestion: 'Give another port; 0 takes a free one', cause: error });

function credentials(tls: ServerTls | undefined): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca === undefined ? null : Buffer.from(tls.ca), [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }], tls.ca !== undefined);
}

const requireToken = (token: string): ServerInterceptor => (method, call) =>
  new ServerInterceptingCall(call, {
    start(next) {
      next({
        onReceiveMetadata(metadata, proceed) {
          const [given] = metadata.get('authorization');
          if (method.path.startsWith(HEALTH) || tokenMatches(given === undefined ? undefined : String(given), token)) proceed(metadata);
          else call.sendStatus({ code: status.UNAUTHENTICATED, details: 'the right token is needed: authorization: Bearer <token>; `mimas patterns` of the user of the launcher finds it by itself, others give --token-file or MIMAS_TOKEN' });
        },
      });
    },
  });

interface HealthRequest { service: string }
interface HealthResponse { status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN' }

/** grpc.health.v1 for the launcher as a whole (`''`) and for its service. */
class HealthService {
  readonly #watchers = new Set<ServerWritableStream<HealthRequest, HealthResponse>>();
  #serving = true;

  readonly check: handleUnaryCall<HealthRequest, HealthResponse> = (call: ServerUnaryCall<HealthRequest, HealthResponse>, callback: sendUnaryData<HealthResponse>) => {
    const known = this.#status(call.request.service);
    if (known) callback(null, { status: known });
    else callback({ code: status.NOT_FOUND, details: `unknown service ${call.request.service}` });
  };

  readonly watch: handleServerStreamingCall<HealthRequest, HealthResponse> = (call: ServerWritableStream<HealthRequest, HealthResponse>) => {
    call.write({ status: this.#status(call.request.service) ?? 'SERVICE_UNKNOWN' });
    this.#watchers.add(call);
    call.on('cancelled', () => this.#watchers.delete(call));
    call.on('close', () => this.#watchers.delete(call));
  };

  drain(): void {
    if (!this.#serving) return;
    this.#serving = false;
    for (const call of this.#watchers) call.write({ status: this.#status(call.request.service) ?? 'SERVICE_UNKNOWN' });
  }

  close(): void {
    this.drain();
    for (const call of this.#watchers) call.end();
    this.#watchers.clear();
  }

  #status(service: string): 'SERVING' | 'NOT_SERVING' | undefined {
    if (service !== '' && service !== LAUNCHER_SERVICE) return undefined;
    return this.#serving ? 'SERVING' : 'NOT_SERVING';
  }
}
