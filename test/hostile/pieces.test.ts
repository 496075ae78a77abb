// A frame in very many pieces. Sockets join pieces as they please, so this one hands them over one by one, to the real link.
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { StreamLink } from '#mimas/transport/stream-link.js';
import { LONGEST_WAIT } from './limits.js';
import { bodyOf, pack, u32 } from './raw-bytes.js';

it('costs no more than its bytes, however many pieces it comes in', async () => {
  const stream = new PassThrough();
  const link = new StreamLink(stream, { label: 'a peer', trusted: false });
  const batch = new Promise<readonly unknown[]>((resolve, reject) => link.start({ batch: (entries) => resolve(entries), drain: () => {}, closed: reject }));
  const body = bodyOf(pack([16, 'x'.repeat(6_000_000)]));
  const size = Math.ceil(body.length / 150_000);
  stream.write(u32(body.length));
  let at = 0;
  for (; at + size < body.length; at += size) stream.write(body.subarray(at, at + size));
  const began = performance.now();
  stream.write(body.subarray(at));
  const entries = await batch;
  expect(entries[0]).toBe(16);
  expect(performance.now() - began).toBeLessThan(LONGEST_WAIT);
});
