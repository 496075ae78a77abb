// What a launcher shows to the network. Loopback by default, and even there to those only who show a token: every user of this
// machine reaches loopback, and could start programs as the user of the launcher otherwise.
import { lookup } from 'node:dns/promises';
import { userInfo } from 'node:os';
import { missingFor } from '../optional.js';
import { isLoopback } from '../transport/address.js';
import { LauncherError } from './errors.js';
import { startHttp } from './http-server.js';
import type { Launcher } from './launcher.js';
import { refuseUnknown, SERVE_OPTIONS } from './options.js';
import type { ServerSide, ServerTls } from './server-side.js';
import { forgetToken, LEAST_TOKEN, makeToken, rememberToken, tokenInFile } from './token-store.js';

export interface ServeOptions {
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** Default 8080; 0 takes any free one. */
  grpcPort?: number | undefined;
  /** Default 9092; 0 takes any free one; false serves no HTTP. */
  metricsPort?: number | false | undefined;
  /**
   * Callers show it as `authorization: Bearer <token>`; at least 16 characters. Default: one that is made, for gRPC alone, and left
   * where programs of this user find it. False: none, so that every user of this machine can launch programs as this one.
   */
  token?: string | false | undefined;
  /** Of both servers. With a `ca`, certificates are enough, and no token is made. */
  tls?: ServerTls | undefined;
}

export interface LauncherServer {
  readonly host: string;
  readonly grpcPort: number;
  readonly metricsPort: number | undefined;
  /** What callers show; undefined when none is needed. */
  readonly token: string | undefined;
  /** Holds the token, when it was made here: of mode 0600, and gone when the server closes. */
  readonly tokenFile: string | undefined;
  /** From now on health checks say no; all else is still answered. */
  drain(): void;
  close(): Promise<void>;
}

export interface Surroundings {
  /** Keeps the token that is made for the next launcher. */
  readonly tokenFile: string | undefined;
  log(line: string): void;
}

const DEFAULT_GRPC_PORT = 8080;
const DEFAULT_METRICS_PORT = 9092;

/** @throws LauncherError INVALID_CONFIGURATION */
export async function startServer(launcher: Launcher, options: ServeOptions, surroundings: Surroundings): Promise<LauncherServer> {
  refuseUnknown(options, SERVE_OPTIONS, 'serve: ');
  const { grpcPort = DEFAULT_GRPC_PORT, metricsPort = DEFAULT_METRICS_PORT, tls } = options;
  const host = await oneAddress(options.host ?? '127.0.0.1');
  const chosen = chosenToken(options, host);
  const made = chosen === undefined && options.token !== false && tls?.ca === undefined;
  const token = made ? makeOrKeep(surroundings) : chosen;
  const { startGrpc } = await import('./grpc-server.js').catch(missingFor('a launcher that serves gRPC'));
  // Said now, not to the first who scrapes.
  if (metricsPort !== false) await launcher.exportPrometheusMetrics();
  const grpc = await startGrpc(launcher, { host, port: grpcPort, token, tls });
  let http: ServerSide | undefined;
  try {
    // Scrapers are configured beforehand: what they need to know cannot be made at the start.
    http = metricsPort === false ? undefined : await startHttp(launcher, { host, port: metricsPort, token: chosen, tls });
  } catch (error) {
    await grpc.close();
    throw error;
  }
  if (token === undefined && tls?.ca === undefined) surroundings.log(`WARNING: gRPC at ${host}:${grpc.port} needs no token: every user of this machine can start and end programs as ${userName()}`);
  const tokenFile = made ? remember(host, grpc.port, token!, surroundings) : undefined;
  return {
    host,
    grpcPort: grpc.port,
    metricsPort: http?.port,
    token,
    tokenFile,
    drain: () => grpc.drain(),
    async close() {
      if (tokenFile !== undefined) forgetToken(tokenFile);
      await Promise.all([grpc.close(), http?.close()]);
    },
  };
}

/** Of a name that stands for several addresses one is taken: at the other ones somebody else may listen. */
async function oneAddress(host: string): Promise<string> {
  return host === 'localhost' ? (await lookup(host)).address : host;
}

function chosenToken({ token, tls }: ServeOptions, host: string): string | undefined {
  const refuse = (message: string, suggestion: string) => new LauncherError('INVALID_CONFIGURATION', message, { context: { option: 'token', host }, suggestion });
  if (token !== undefined && token !== false && (typeof token !== 'string' || token.length < LEAST_TOKEN)) throw refuse(`token must have ${LEAST_TOKEN} characters or more`, 'Leave it out, and one is made');
  if (!isLoopback(host) && !token && tls?.ca === undefined) throw refuse(`${host} can be reached by others: anybody could launch and end processes`, 'Give a token, or tls with a ca that callers must be signed by');
  return token || undefined;
}

function makeOrKeep({ tokenFile }: Surroundings): string {
  try {
    return tokenFile === undefined ? makeToken() : tokenInFile(tokenFile);
  } catch (error) {
    throw new LauncherError('INVALID_CONFIGURATION', `the token cannot be kept in ${tokenFile}: ${(error as Error).message}`, { context: { file: tokenFile }, suggestion: 'Give a state folder that can be written', cause: error });
  }
}

/** One that cannot be left for others to find does: those who call can be given it. */
function remember(host: string, port: number, token: string, { log }: Surroundings): string | undefined {
  try {
    return rememberToken(host, port, token);
  } catch (error) {
    log(`WARNING: the token could not be left where \`mimas patterns\` finds it, and must be given with --token-file or MIMAS_TOKEN: ${(error as Error).message}`);
    return undefined;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'this user';
  }
}
