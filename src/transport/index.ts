// Chooses the transport of an address. ws is loaded only when an address asks for it.
import { UnsupportedOptionError } from '../errors.js';
import type { Link } from '../rpc/link.js';
import type { LatencyMode } from '../types.js';
import type { Address } from './address.js';
import { withLatency } from './polled-link.js';
import { connectSocket, listenSocket, type ConnectOptions, type Listener, type ListenOptions } from './socket.js';

/** Why there are no WebSockets here, if so. Bun puts a module of its own in place of the library's: it shows no socket, so that nobody knows what waits to go out. */
export const noWebSockets = (): string | undefined => (process.versions['bun'] ? "Bun's own WebSocket module has no backpressure; use 'unix' or 'tcp', or Node" : undefined);

const web = (): Promise<typeof import('./ws.js')> => {
  const why = noWebSockets();
  if (why !== undefined) throw new UnsupportedOptionError(`ws and wss do not work here: ${why}`, { option: 'transport' });
  return import('./ws.js');
};

/** @throws UnsupportedOptionError where there are no WebSockets, and what connecting throws. */
export async function connect(address: Address, options: ConnectOptions, latency?: LatencyMode): Promise<Link> {
  const link = address.kind === 'ws' || address.kind === 'wss' ? (await web()).connectWs(address, options) : connectSocket(address, options);
  return withLatency(await link, latency);
}

export async function listen(address: Address, options: ListenOptions, onLink: (link: Link) => void, latency?: LatencyMode): Promise<Listener> {
  const admit = (link: Link) => onLink(withLatency(link, latency));
  if (address.kind === 'ws' || address.kind === 'wss') return (await web()).listenWs(address, options, admit);
  return listenSocket(address, options, admit);
}
