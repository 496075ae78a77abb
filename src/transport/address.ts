// Addresses of processes: `unix:/path`, `tcp://host:port`, `tls://host:port`, `ws://host:port/path`, `wss://…`.
import { InvalidOptionError } from '../errors.js';

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'ws' | 'wss'; readonly host: string; readonly port: number; readonly path: string };

const DEFAULT_PORTS: Record<string, number> = { 'ws:': 80, 'wss:': 443 };

/** @throws InvalidOptionError when `text` is no address of a known kind. */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(text);
  if (unix) return { kind: 'unix', path: unix[1]! };
  let url: URL | undefined;
  try {
    url = new URL(text.replace(/^http(s?):/, 'ws$1:'));
  } catch {
    url = undefined;
  }
  const kind = url?.protocol.slice(0, -1);
  if (url && (kind === 'tcp' || kind === 'tls' || kind === 'ws' || kind === 'wss') && url.hostname) {
    const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
    if (port !== undefined) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      return kind === 'ws' || kind === 'wss' ? { kind, host, port, path: `${url.pathname}${url.search}` } : { kind, host, port };
    }
  }
  throw new InvalidOptionError(`${JSON.stringify(text)} is not an address; write unix:/path, tcp://host:port, tls://host:port, ws://host:port/path or wss://host:port/path`, { option: 'address' });
}

export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return address.kind === 'ws' || address.kind === 'wss' ? `${address.kind}://${host}:${address.port}${address.path}` : `${address.kind}://${host}:${address.port}`;
}

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/;

/** True when the host can only be this machine. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
