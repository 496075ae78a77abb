// One look at a thing from outside, within its time: over HTTP, over TCP, by a program. None of them rejects.
// Invariant: `localhost` is either loopback, whoever of them answers first; an address is that address alone.
import { readFile } from 'node:fs/promises';
import { request as plain, type IncomingMessage } from 'node:http';
import { connect, isIP, isIPv6 } from 'node:net';
import { Executable } from './executable.js';
import type { CheckOf, CheckResult, TlsLook } from './probes.js';
import { within } from './within.js';

interface SecureOptions { readonly ca?: Buffer; readonly rejectUnauthorized?: boolean; readonly servername?: string }
/** `refused`: nobody takes the connection there. */
type Seen = CheckResult | { readonly refused: string };

const LOOPBACKS = ['127.0.0.1', '::1'];
/** What is listened at, but cannot be called. */
const CALLED: Readonly<Record<string, readonly string[]>> = { localhost: LOOPBACKS, '0.0.0.0': ['127.0.0.1'], '::': ['::1'] };

/** Of several addresses the first that takes the connection; what is said of the first when none does. */
async function first(host: string | undefined, look: (address: string) => Promise<Seen>): Promise<CheckResult> {
  let refused: string | undefined;
  for (const address of CALLED[host ?? 'localhost'] ?? [host!]) {
    const seen = await look(address);
    if ('ok' in seen) return seen;
    refused ??= seen.refused;
  }
  return { ok: false, message: refused! };
}

const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address);
const isRefusal = (error: Error): boolean => ['ECONNREFUSED', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? '');

export async function lookHttp({ host, port, path, status, headers, tls }: CheckOf<'http'>, timeout: number, signal: AbortSignal | undefined): Promise<CheckResult> {
  let request = plain;
  let secure: SecureOptions = {};
  if (tls) {
    try {
      request = (await import('node:https')).request;
      secure = await secureOptions(tls, host);
    } catch (error) {
      return { ok: false, message: (error as Error).message };
    }
  }
  const end = performance.now() + timeout;
  return first(host, (address) => new Promise((resolve) => {
    const at = `GET http${tls ? 's' : ''}://${inUrl(address)}:${port}${path}`;
    // Not fetch: that refuses a list of ports, and keeps connections to processes that come and go.
    const asked = request({ ...secure, host: address, port, path, agent: false, headers: { ...(tls?.serverName !== undefined && { host: tls.serverName }), ...headers, connection: 'close' }, ...(signal && { signal }) }, (response: IncomingMessage) => {
      response.resume();
      const code = response.statusCode ?? 0;
      clearTimeout(timer);
      resolve({ ok: status === undefined ? code >= 200 && code < 400 : code === status, message: `${at} answered ${code}` });
      asked.destroy();
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeout} ms`)), end - performance.now());
    asked.on('error', (error) => {
      clearTimeout(timer);
      resolve(isRefusal(error) ? { refused: `${at}: ${error.message}` } : { ok: false, message: `${at}: ${error.message}${tls && isDistrust(error) ? '; name its authority (ca), or say verify: false' : ''}` });
    });
    asked.end();
  }));
}

async function secureOptions({ ca, verify, serverName }: TlsLook, host = 'localhost'): Promise<SecureOptions> {
  // A certificate is for a name, whatever address is called for it; of one that is for an address, TLS asks no name.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  return { ...(ca !== undefined && { ca: await readFile(ca) }), rejectUnauthorized: verify, ...(servername !== undefined && { servername }) };
}

const isDistrust = (error: Error): boolean => /SELF_SIGNED|UNABLE_TO|CERT_|ALTNAME/.test((error as NodeJS.ErrnoException).code ?? '');

export function lookTcp({ host, port }: CheckOf<'tcp'>, timeout: number, signal: AbortSignal | undefined): Promise<CheckResult> {
  const end = performance.now() + timeout;
  return first(host, (address) => new Promise((resolve) => {
    const at = `tcp ${inUrl(address)}:${port}`;
    const socket = connect({ host: address, port });
    const settle = (seen: Seen) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cut);
      socket.destroy();
      resolve(seen);
    };
    const timer = setTimeout(() => settle({ ok: false, message: `${at} did not accept within ${timeout} ms` }), end - performance.now());
    const cut = () => settle({ ok: false, message: `${at} is looked at no more` });
    // Not as an option of `connect`: that never takes its listener away, and keeps each socket for as long as the signal lives.
    if (signal?.aborted) cut();
    signal?.addEventListener('abort', cut, { once: true });
    socket.once('connect', () => settle({ ok: true, message: `${at} accepts connections` }));
    socket.on('error', (error) => settle(isRefusal(error) ? { refused: `${at} ${error.message}` } : { ok: false, message: `${at} ${error.message}` }));
  }));
}

export async function lookExec({ command, args, cwd, env }: CheckOf<'exec'>, timeout: number, stop: AbortSignal | undefined): Promise<CheckResult> {
  try {
    const started = await Executable.start({ name: 'probe', command, args, cwd, env });
    const cut = () => void started.kill();
    if (stop?.aborted) cut();
    stop?.addEventListener('abort', cut, { once: true });
    const inTime = await within(started.exited, timeout);
    stop?.removeEventListener('abort', cut);
    // A probe that hangs is ended with all it started.
    await started.kill();
    if (!inTime) return { ok: false, message: `${command} did not end within ${timeout} ms` };
    const { code, signal } = started.exit!;
    const last = started.lines().at(-1);
    return { ok: code === 0, message: `${command} ended with ${signal ?? code}${code !== 0 && last ? `: ${last}` : ''}` };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}
