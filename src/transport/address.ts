// Addresses of processes: `unix:/path`, `tcp://host:port`, `tls://host:port`, `ws://host:port/path`, `wss://…`.
import { InvalidOptionError, UnsupportedOptionError } from '../errors.js';

interface UnixAddress { readonly kind: 'unix'; readonly path: string }
interface TcpAddress<Kind> { readonly kind: Kind; readonly host: string; readonly port: number }
interface UrlAddress<Kind> extends TcpAddress<Kind> { readonly path: string }

export type SocketAddress = UnixAddress | TcpAddress<'tcp'> | TcpAddress<'tls'>;
export type WsAddress = UrlAddress<'ws'> | UrlAddress<'wss'>;
export type Address = SocketAddress | WsAddress;

const DEFAULT_PORTS: Record<string, number> = { 'ws:': 80, 'wss:': 443 };

/** `sun_path` without its last zero, bytes: 108 on Linux, 104 elsewhere. Node cuts a longer path off without a word, and makes another socket. */
export const LONGEST_SOCKET = process.platform === 'linux' ? 107 : 103;

/** @throws InvalidOptionError, of `option`, when the system cannot make a socket of that name; `cure` says what helps; UnsupportedOptionError on Windows */
export function checkSocketPath(path: string, option: string, cure: string): string {
  if (process.platform === 'win32') throw new UnsupportedOptionError(`${option}: ${path} cannot be listened at or called: Node has no unix sockets on Windows; use tcp or ws`, { option });
  if (Buffer.byteLength(path) > LONGEST_SOCKET) throw new InvalidOptionError(`${option}: ${path} is too long for a socket (at most ${LONGEST_SOCKET} bytes); ${cure}`, { option });
  return path;
}

/** @throws InvalidOptionError when `text` is no address of a known kind, or one that no system has */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(text);
  if (unix) return { kind: 'unix', path: checkSocketPath(unix[1]!, 'address', 'choose a shorter one') };
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
