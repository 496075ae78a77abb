// The door of a socket: nothing is parsed before the peer has shown its token, compared in constant time.
// Invariant: what is gathered ahead of the token is bounded by its length; what came behind it stays in the socket.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { LinkClosedError, ProtocolError, UnauthorizedError } from '../errors.js';

const MAGIC = Buffer.from('MIMAS1\n');
const MAX_TOKEN_BYTES = 512;
const ACCEPTED = 1;
/** What a peer is told that is turned away. */
export const REFUSED = Buffer.of(0);

const digest = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest();

/** Constant time in both content and length. */
export const sameToken = (expected: string, shown: string | Buffer): boolean => timingSafeEqual(digest(expected), digest(shown));

/** Reads exactly what the handshake needs, which `parse` must decide within a bounded number of bytes; leaves the socket paused. */
function readUntil<T>(socket: Socket, parse: (bytes: Buffer) => { result: T; used: number } | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (settle: () => void) => {
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('error', onError);
      socket.pause();
      settle();
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      try {
        const parsed = parse(bytes);
        if (!parsed) return;
        done(() => {
          if (bytes.length > parsed.used) socket.unshift(bytes.subarray(parsed.used));
          resolve(parsed.result);
        });
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

/** Server side: resolves once the peer has shown the token, and tells it so. How long that may take is the caller's to say. */
export async function admit(socket: Socket, token: string): Promise<void> {
  const shown = await readUntil(socket, (bytes) => {
    const start = Math.min(bytes.length, MAGIC.length);
    if (!bytes.subarray(0, start).equals(MAGIC.subarray(0, start))) throw new ProtocolError('the peer does not speak this protocol');
    if (bytes.length < MAGIC.length + 2) return undefined;
    const length = bytes.readUInt16LE(MAGIC.length);
    if (length > MAX_TOKEN_BYTES) throw new ProtocolError('the token is too long');
    const end = MAGIC.length + 2 + length;
    return bytes.length < end ? undefined : { result: bytes.subarray(MAGIC.length + 2, end), used: end };
  });
  if (!sameToken(token, shown)) throw new UnauthorizedError('the peer showed a wrong token');
  socket.write(Buffer.of(ACCEPTED));
}

/** Client side: shows the token. @throws UnauthorizedError when it is refused, or not answered in time. */
export async function present(socket: Socket, token: string, timeout: number, where: string): Promise<void> {
  const bytes = Buffer.from(token);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length, 0);
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UnauthorizedError(`${where} stayed silent for ${timeout} ms`)), timeout);
  });
  socket.write(Buffer.concat([MAGIC, length, bytes]));
  try {
    const answer = await Promise.race([readUntil(socket, (data) => ({ result: data[0], used: 1 })), silent]);
    if (answer !== ACCEPTED) throw new UnauthorizedError(`${where} refused the token: give the one it was started with`);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
