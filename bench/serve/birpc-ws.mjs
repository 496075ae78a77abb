// Server side of birpc on a WebSocket, with JSON.
import { createBirpc } from 'birpc';
import { WebSocketServer } from 'ws';
import { listening } from '../lib/child.mjs';
import { add, echo } from '../lib/work.mjs';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => listening(server.address().port));
server.on('connection', (socket) => {
  createBirpc({ add, echo }, { post: (text) => socket.send(text), on: (receive) => socket.on('message', receive), serialize: JSON.stringify, deserialize: (text) => JSON.parse(text) });
});
