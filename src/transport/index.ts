// Chooses the transport of an address. ws is loaded only when an address asks for it.
import type { Link } from '../rpc/link.js';
import type { LatencyMode } from '../types.js';
import type { Address } from './address.js';
import { withLatency } from './polled-link.js';
import { connectSocket, listenSocket, type ConnectOptions, type Listener, type ListenOptions } from './socket.js';

export async function connect(address: Address, options: ConnectOptions, latency?: LatencyMode): Promise<Link> {
  const web = address.kind === 'ws' || address.kind === 'wss';
  return withLatency(await (web ? (await import('./ws.js')).connectWs(address, options) : connectSocket(address, options)), latency);
}

export async function listen(address: Address, options: ListenOptions, onLink: (link: Link) => void, latency?: LatencyMode): Promise<Listener> {
  const admit = (link: Link) => onLink(withLatency(link, latency));
  if (address.kind === 'ws' || address.kind === 'wss') return (await import('./ws.js')).listenWs(address, options, admit);
  return listenSocket(address, options, admit);
}
