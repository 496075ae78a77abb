// One moleculer node: both sides know each other's address, so nothing is broadcast.
import { ServiceBroker } from 'moleculer';

export function createBroker(nodeID, port, urls) {
  return new ServiceBroker({
    nodeID, logger: false, heartbeatInterval: 5, hotReload: false,
    registry: { preferLocal: true },
    transporter: { type: 'TCP', options: { udpDiscovery: false, port: Number(port), urls } },
  });
}
