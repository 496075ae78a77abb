// The door of a socket: nothing is parsed before the peer has shown its token, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { LinkClosedError, ProtocolError, UnauthorizedError } from '../errors.js';

const MAGIC = Buffer.from('MIMAS1\n');
const MAX_TOKEN_BYTES = 512;
const ACCEPTED = 1;
const REFUSED = 0;

const digest = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest();

/** Constant time in both content and length. */
export const sameToken = (expected: string, shown: string | Buffer): boolean => timingSafeEqual(digest(expected), digest(shown));

/** Reads exactly what the handshake needs; resolves with what came behind it. */
function readUntil<T>(socket: Socket, timeout: number, parse: (bytes: Buffer) => { result: T; used: number } | undefined): Promise<{ result: T; head: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const done = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('error', onError);
      socket.pause();
      settle();
    };
    const timer = setTimeout(() => done(() => reject(new UnauthorizedError(`the peer stayed silent for ${timeout} ms`))), timeout);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      try {
        const parsed = parse(bytes);
        if (parsed) done(() => resolve({ result: parsed.result, head: bytes.subarray(parsed.used) }));
      } catch (error) {
        done(() => reject(error));
      }
    };
    const onClose = () => done(() => reject(new LinkClosedError('the peer closed the connection during the handshake')));
    const onError = (error: Error) => done(() => reject(new LinkClosedError(`the connection broke during the handshake: ${error.message}`, { cause: error })));
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', onError);
  });
}

/** Server side: resolves with the bytes behind the token once it was right; otherwise refuses, closes and rejects. */
export async function admit(socket: Socket, token: string, timeout: number): Promise<Buffer> {
  try {
    const { result, head } = await readUntil(socket, timeout, (bytes) => {
      const start = Math.min(bytes.length, MAGIC.length);
      if (!bytes.subarray(0, start).equals(MAGIC.subarray(0, start))) throw new ProtocolError('the peer does not speak this protocol');
      if (bytes.length < MAGIC.length + 2) return undefined;
      const length = bytes.readUInt16LE(MAGIC.length);
      if (length > MAX_TOKEN_BYTES) throw new ProtocolError('the token is too long');
      const end = MAGIC.length + 2 + length;
      return bytes.length < end ? undefined : { result: bytes.subarray(MAGIC.length + 2, end), used: end };
    });
    if (!sameToken(token, result)) throw new UnauthorizedError('the peer showed a wrong token');
    socket.write(Buffer.of(ACCEPTED));
    return head;
  } catch (error) {
    socket.on('error', () => {});
    socket.end(Buffer.of(REFUSED), () => socket.destroy());
    throw error;
  }
}

/** Client side: shows the token; resolves with the bytes behind the answer. @throws UnauthorizedError when refused. */
export async function present(socket: Socket, token: string, timeout: number, where: string): Promise<Buffer> {
  const bytes = Buffer.from(token);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length, 0);
  socket.write(Buffer.concat([MAGIC, length, bytes]));
  const { result, head } = await readUntil(socket, timeout, (data) => ({ result: data[0], used: 1 }));
  if (result !== ACCEPTED) {
    socket.destroy();
    throw new UnauthorizedError(`${where} refused the token: give the one it was started with`);
  }
  return head;
}
