// Where a look goes: `localhost` is either loopback, an address is that address alone; over TLS only whom it trusts counts.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCheck, type Check } from '../../src/runtime/probes.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { has } from '../launcher/helpers.js';

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => (server.closeAllConnections(), server.close())));

async function listen(host: string, answer: RequestListener = (_, response) => void response.end(), make: (listener: RequestListener) => Server = createServer): Promise<number> {
  const server = make(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

describe('the address of a look', () => {
  const AT: [listensAt: string, wellFrom: readonly (string | undefined)[], illFrom: readonly string[]][] = [
    ['127.0.0.1', [undefined, 'localhost', '127.0.0.1', '0.0.0.0'], ['::1', '::', '127.0.0.2']],
    ['::1', [undefined, 'localhost', '::1', '::'], ['127.0.0.1', '0.0.0.0']],
    ['127.0.0.2', ['127.0.0.2'], ['localhost', '127.0.0.1', '::1']],
  ];
  it.each(AT.flatMap(([at, well, ill]) => (['http', 'tcp'] as const).flatMap((type) => [...well.map((host) => [at, type, host, true] as const), ...ill.map((host) => [at, type, host, false] as const)])))('of what listens at %s, over %s from %s: %s', async (at, type, host, ok) => {
    const port = await listen(at);
    const check: Check = type === 'http' ? { type, port, path: '/', host } : { type, port, host };
    expect(await runCheck(check, 5000)).toMatchObject({ ok });
  });

  it('localhost where nobody listens is told with one address, and takes no longer than its time', async () => {
    expect((await runCheck({ type: 'http', port: 1, path: '/', host: 'localhost' }, 1000)).message).toBe('GET http://127.0.0.1:1/: connect ECONNREFUSED 127.0.0.1:1');
    expect((await runCheck({ type: 'tcp', port: 1, host: '::1' }, 1000)).message).toBe('tcp [::1]:1 connect ECONNREFUSED ::1:1');
    const port = await listen('::1', () => {});
    expect((await runCheck({ type: 'http', port, path: '/', host: 'localhost' }, 200)).message).toBe(`GET http://[::1]:${port}/: no answer within 200 ms`);
  });

  it('a bad answer of the first loopback counts: the other one is not asked', async () => {
    const port = await listen('127.0.0.1', (_, response) => void response.writeHead(503).end());
    expect(await runCheck({ type: 'http', port, path: '/', host: 'localhost' }, 5000)).toEqual({ ok: false, message: `GET http://127.0.0.1:${port}/ answered 503` });
  });

  it('headers are sent', async () => {
    const port = await listen('127.0.0.1', ({ headers }, response) => void response.writeHead(headers['x-probe'] === 'yes' && headers.host === 'shop.test' ? 200 : 400).end());
    expect(await runCheck({ type: 'http', port, path: '/' }, 5000)).toMatchObject({ ok: false });
    expect(await runCheck({ type: 'http', port, path: '/', headers: { 'X-Probe': 'yes', host: 'shop.test' } }, 5000)).toMatchObject({ ok: true });
  });
});

describe.skipIf(!has('openssl'))('over TLS', () => {
  const folder = temporaryFolder();
  const file = (name: string) => join(folder, name);
  const certify = (name: string) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)], { stdio: 'ignore' });
  certify('localhost');
  certify('shop.test');
  const serve = (name: string) => listen('127.0.0.1', ({ headers }, response) => void response.setHeader('x-host', String(headers.host)).end(), (answer) => createSecure({ key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) }, answer));

  it.each<[certificate: string, tls: object, ok: boolean, message: RegExp]>([
    ['localhost', { verify: true }, false, /: self-signed certificate; name its authority \(ca\), or say verify: false$/],
    ['localhost', { verify: false }, true, /^GET https:.* answered 200$/],
    ['localhost', { verify: true, ca: 'localhost.pem' }, true, /answered 200$/],
    ['shop.test', { verify: true, ca: 'shop.test.pem' }, false, /altnames: DNS:shop\.test; name its authority/],
    ['shop.test', { verify: true, ca: 'shop.test.pem', serverName: 'shop.test' }, true, /answered 200$/],
    ['localhost', { verify: true, ca: 'missing.pem' }, false, /ENOENT.*missing\.pem/],
  ])('a certificate of %s with %o: %s', async (certificate, { ca, ...tls }: { ca?: string; verify?: boolean }, ok, message) => {
    const port = await serve(certificate);
    const result = await runCheck({ type: 'http', port, path: '/', host: 'localhost', tls: { verify: true, ...tls, ...(ca === undefined ? {} : { ca: file(ca) }) } }, 5000);
    expect(result.message).toMatch(message);
    expect(result.ok).toBe(ok);
  });

  it('a server without TLS is none with it', async () => {
    const port = await listen('127.0.0.1');
    expect(await runCheck({ type: 'http', port, path: '/', tls: { verify: false } }, 5000)).toMatchObject({ ok: false });
  });
});
