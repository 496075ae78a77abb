// What a launcher shows to the network. Loopback by default; an address that other machines reach needs a token or client
// certificates, or anybody could start programs here.
import { isLoopback } from '../transport/address.js';
import { LauncherError } from './errors.js';
import { startGrpc } from './grpc-server.js';
import { startHttp } from './http-server.js';
import type { Launcher } from './launcher.js';
import { refuseUnknown, SERVE_OPTIONS } from './options.js';
import type { ServerSide, ServerTls } from './server-side.js';

export interface ServeOptions {
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** Default 8080; 0 takes any free one. */
  grpcPort?: number | undefined;
  /** Default 9092; 0 takes any free one; false serves no HTTP. */
  metricsPort?: number | false | undefined;
  /** Callers show it as `authorization: Bearer <token>`. */
  token?: string | undefined;
  /** Of both servers. */
  tls?: ServerTls | undefined;
}

export interface LauncherServer {
  readonly host: string;
  readonly grpcPort: number;
  readonly metricsPort: number | undefined;
  /** From now on health checks say no; all else is still answered. */
  drain(): void;
  close(): Promise<void>;
}

const DEFAULT_GRPC_PORT = 8080;
const DEFAULT_METRICS_PORT = 9092;

/** @throws LauncherError INVALID_CONFIGURATION */
export async function startServer(launcher: Launcher, options: ServeOptions): Promise<LauncherServer> {
  refuseUnknown(options, SERVE_OPTIONS, 'serve: ');
  const { host = '127.0.0.1', grpcPort = DEFAULT_GRPC_PORT, metricsPort = DEFAULT_METRICS_PORT, token, tls } = options;
  if (token === '') throw new LauncherError('INVALID_CONFIGURATION', 'token cannot be empty', { context: { option: 'token' } });
  if (!isLoopback(host) && token === undefined && tls?.ca === undefined) {
    throw new LauncherError('INVALID_CONFIGURATION', `${host} can be reached by others: anybody could launch and end processes`, { context: { option: 'host', host }, suggestion: 'Give a token, or tls with a ca that callers must be signed by' });
  }
  const grpc = await startGrpc(launcher, { host, port: grpcPort, token, tls });
  let http: ServerSide | undefined;
  try {
    http = metricsPort === false ? undefined : await startHttp(launcher, { host, port: metricsPort, token, tls });
  } catch (error) {
    await grpc.close();
    throw error;
  }
  return {
    host,
    grpcPort: grpc.port,
    metricsPort: http?.port,
    drain: () => grpc.drain(),
    close: async () => void (await Promise.all([grpc.close(), http?.close()])),
  };
}
