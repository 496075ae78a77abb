// A process that other programs may call: where it listens and what they must show. Invariant: whoever can reach the address
// from another machine needs a token that somebody chose on purpose.
import { nanoid } from 'nanoid';
import { InvalidOptionError, UnsupportedOptionError } from '../errors.js';
import { isLoopback, parseAddress } from '../transport/address.js';
import type { TlsOptions } from '../transport/socket.js';
import type { Remote } from '../types.js';
import type { Listening } from './process-context.js';
import type { SpawnOptions } from './options.js';

export interface ServeOptions extends Omit<SpawnOptions, 'transport'> {
  /** `tcp://`, `tls://`, `ws://`, `wss://` or `unix:`. Port 0 takes a free one. Default `tcp://127.0.0.1:0`. */
  listen?: string;
  /** What callers must show. Default: a random one, on this machine; elsewhere it must be given, with at least 16 characters. */
  token?: string;
  /** Certificate and key for `tls://` and `wss://`; with `ca`, callers need a certificate that it signed. */
  tls?: TlsOptions;
}

export interface ServedProcess<T, Proxy = Remote<T>> {
  /** The proxy for this program's own calls. They do not take the way over the address. */
  readonly process: Proxy;
  /** Where it listens, with the real port. */
  readonly address: string;
  readonly token: string;
}

const LEAST_TOKEN = 16;
const MOST_TOKEN = 512;

export function resolveServeOptions(options: ServeOptions): { spawn: SpawnOptions; listen: Listening } {
  const { listen = 'tcp://127.0.0.1:0', token, tls, ...spawn } = options;
  if ('transport' in spawn) throw new UnsupportedOptionError("transport cannot work with serve: others reach the process at `listen`, this program over 'ipc'", { option: 'transport' });
  const address = parseAddress(listen);
  const secure = address.kind === 'tls' || address.kind === 'wss';
  if (secure && !(tls?.key && tls.cert)) throw new InvalidOptionError(`tls: listening at ${listen} needs a key and a cert`, { option: 'tls' });
  if (!secure && tls) throw new UnsupportedOptionError(`tls cannot work with ${listen}: write tls:// or wss://`, { option: 'tls' });
  if (token === undefined) {
    const local = address.kind === 'unix' || isLoopback(address.host);
    if (!local) throw new UnsupportedOptionError(`listen: ${listen} can be reached from other machines, so it needs a token of your own; give one, or listen at 127.0.0.1`, { option: 'token' });
  } else if (typeof token !== 'string' || token.length < LEAST_TOKEN || Buffer.byteLength(token) > MOST_TOKEN) {
    throw new InvalidOptionError(`token: it must have ${LEAST_TOKEN} characters or more, and ${MOST_TOKEN} bytes or less`, { option: 'token' });
  }
  return { spawn: { ...spawn, transport: 'ipc' }, listen: { address, token: token ?? nanoid(32), tls } };
}
