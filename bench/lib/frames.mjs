// Length-prefixed msgpackr frames on a byte stream, one write per frame: the plain way that people write by hand.
import { Packr } from 'msgpackr';

const packer = new Packr({ useRecords: false });

export function writeFrame(socket, value) {
  const body = packer.pack(value);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, 4);
  socket.write(frame);
}

export function readFrames(socket, onFrame) {
  let chunks = [];
  let have = 0;
  let need = 4;
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    have += chunk.length;
    // Chunks are joined only when a whole frame is there: joining at each would make large frames quadratic.
    if (have < need) return;
    let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    while (buffer.length >= 4) {
      const length = buffer.readUInt32LE(0);
      need = 4 + length;
      if (buffer.length < need) break;
      onFrame(packer.unpack(buffer.subarray(4, need)));
      buffer = buffer.subarray(need);
      need = 4;
    }
    chunks = buffer.length > 0 ? [buffer] : [];
    have = buffer.length;
  });
}
