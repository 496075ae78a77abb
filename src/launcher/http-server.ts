// The HTTP side of a launcher, for what does not speak gRPC: /metrics, /metrics.json, /health and /ready.
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { LauncherError } from './errors.js';
import type { Launcher } from './launcher.js';
import { tokenMatches, type ServerSide, type SideOptions } from './server-side.js';

type Answer = readonly [code: number, type: string, body: string];
const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

/** @throws LauncherError INVALID_CONFIGURATION when the port cannot be used */
export async function startHttp(launcher: Launcher, { host, port, token, tls }: SideOptions): Promise<ServerSide> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    void answer(launcher, token, request).then(
      ([code, type, body]) => response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store', ...(code === 405 && { allow: 'GET, HEAD' }), ...(code === 401 && { 'www-authenticate': 'Bearer' }) }).end(request.method === 'HEAD' ? undefined : body),
      (error: Error) => response.writeHead(500, { 'content-type': TEXT }).end(`${error.message}\n`),
    );
  };
  const server: Server = tls ? createSecure({ cert: tls.cert, key: tls.key, ...(tls.ca !== undefined && { ca: tls.ca, requestCert: true, rejectUnauthorized: true }) }, handle) : createPlain(handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new LauncherError('INVALID_CONFIGURATION', `HTTP cannot be served at ${host}:${port}: ${error.message}`, { context: { host, port }, cause: error })));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

async function answer(launcher: Launcher, token: string | undefined, { method, url = '/', headers }: IncomingMessage): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return [405, TEXT, 'only GET\n'];
  const path = url.split('?')[0];
  switch (path) {
    // Probes of orchestrators cannot show a token.
    case '/health': {
      const report = launcher.health();
      return [report.healthy ? 200 : 503, JSON_TYPE, `${JSON.stringify(report)}\n`];
    }
    case '/ready':
      return launcher.ready ? [200, TEXT, 'ready\n'] : [503, TEXT, 'shutting down\n'];
    case '/metrics':
    case '/metrics.json':
      if (token !== undefined && !tokenMatches(headers.authorization, token)) return [401, TEXT, 'the right token is needed: authorization: Bearer <token>\n'];
      return path === '/metrics' ? [200, PROMETHEUS, await launcher.exportPrometheusMetrics()] : [200, JSON_TYPE, `${JSON.stringify(launcher.exportJsonMetrics())}\n`];
    default:
      return [404, TEXT, 'here are /metrics, /metrics.json, /health and /ready\n'];
  }
}
