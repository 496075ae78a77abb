// Chooses the transport of an address. ws is loaded only when an address asks for it.
import type { Link } from '../rpc/link.js';
import type { Address } from './address.js';
import { connectSocket, listenSocket, type ConnectOptions, type Listener, type ListenOptions } from './socket.js';

export async function connect(address: Address, options: ConnectOptions): Promise<Link> {
  if (address.kind === 'ws' || address.kind === 'wss') return (await import('./ws.js')).connectWs(address, options);
  return connectSocket(address, options);
}

export async function listen(address: Address, options: ListenOptions, onLink: (link: Link) => void): Promise<Listener> {
  if (address.kind === 'ws' || address.kind === 'wss') return (await import('./ws.js')).listenWs(address, options, onLink);
  return listenSocket(address, options, onLink);
}
