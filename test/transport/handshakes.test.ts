// Who makes room: the oldest of the address that has most connections in their handshake.
import net from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '#mimas/rpc/frames.js';
import { Handshakes } from '#mimas/transport/handshakes.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A listener that only counts what is in its handshake, and who was turned away. */
async function listening(timeout = 60_000) {
  const refused: string[] = [];
  const handshakes = new Handshakes(timeout, (error) => void refused.push((error as Error).message));
  const taken: net.Socket[] = [];
  const server = net.createServer((socket) => {
    handshakes.begin(socket);
    taken.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => (handshakes.close(), new Promise((resolve) => server.close(resolve))));
  const { port } = server.address() as net.AddressInfo;
  const knock = async (localAddress: string) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    ends.push(() => socket.destroy());
    const count = taken.length;
    await once(socket, 'connect');
    await expect.poll(() => taken.length, { interval: 1 }).toBeGreaterThan(count);
    return Object.assign(taken.at(-1)!, { peer: socket });
  };
  return { knock, refused, handshakes };
}

it('a crowd from one address makes room for itself, and never takes the place of another', async () => {
  const { knock, refused, handshakes } = await listening();
  const honest = await knock('127.0.0.2');
  const first = await knock('127.0.0.3');
  for (let i = 0; i < DEFAULT_LIMITS.maxHandshakes + 50; i++) await knock('127.0.0.3');
  expect(refused).toHaveLength(52);
  expect(refused[0]).toMatch(/made room for a newer connection: 1025 /);
  expect(first.destroyed).toBe(true);
  expect(handshakes.done(first)).toBe(false);
  expect(honest.destroyed).toBe(false);
  expect(handshakes.done(honest)).toBe(true);
});

it('time for which this thread was held up is not the peer\'s; who stays silent is turned away all the same', async () => {
  const { knock, refused, handshakes } = await listening(100);
  const honest = await knock('127.0.0.1');
  honest.peer.write('a token');
  const end = performance.now() + 400;
  while (performance.now() < end);
  await once(honest, 'data');
  expect(handshakes.done(honest)).toBe(true);
  const silent = await knock('127.0.0.1');
  await once(silent, 'close');
  expect(refused).toEqual(['the peer stayed silent for 100 ms']);
});
