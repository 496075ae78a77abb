// Server side of the raw sockets: one frame per call, one write per frame. The argument is a path, or 0 for a TCP port.
import { createServer } from 'node:net';
import { listening } from '../lib/child.mjs';
import { readFrames, writeFrame } from '../lib/frames.mjs';
import { add, echo } from '../lib/work.mjs';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  readFrames(socket, ([id, kind, a, b]) => {
    if (kind === 0) writeFrame(socket, [id, add(a, b)]);
    else if (kind === 1) writeFrame(socket, [id, echo(a)]);
    else for (let i = 1; i <= a; i++) writeFrame(socket, [0, i]);
  });
});
const path = process.argv[2];
server.listen(path === '0' ? { host: '127.0.0.1', port: 0 } : { path }, () => listening(path === '0' ? server.address().port : path));
