// Server side of capnweb on a WebSocket.
import { newWebSocketRpcSession, RpcTarget } from 'capnweb';
import { WebSocket, WebSocketServer } from 'ws';
import { listening } from '../lib/child.mjs';

// It compares with the global's constants, which Node 20 does not have.
globalThis.WebSocket ??= WebSocket;

class Work extends RpcTarget {
  add(a, b) {
    return a + b;
  }
  echo(value) {
    return value;
  }
}
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => listening(server.address().port));
server.on('connection', (socket) => newWebSocketRpcSession(socket, new Work()));
