// Honest traffic of a rich session, in both directions, as frames: what mutations begin with.
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { unpackBatch } from '#mimas/rpc/batch-codec.js';
import { richSession } from '../fixtures/hostile/rich-session.js';
import type Served from '../fixtures/hostile/victim.process.js';
import type { Batch } from './raw-peer.js';
import { TOKEN, type Stage } from './victim.js';

export type Corpus = readonly Batch[];
export interface Recorded { readonly calls: Corpus; readonly answers: Corpus }

/** Records what a client and a served process say to each other, by standing in between. */
export async function record({ pm, folder }: Stage): Promise<Recorded> {
  const listen = `unix:${join(folder, 'recorded.sock')}`;
  const { process: served } = await pm.serve<Served>(join(import.meta.dirname, '../fixtures/hostile/victim.process.ts'), { listen, token: TOKEN, isolation: 'worker' });
  const calls: Batch[] = [];
  const answers: Batch[] = [];
  const relay = net.createServer((client) => {
    const server = net.connect(join(folder, 'recorded.sock'));
    tap(client, server, MAGIC_AND_TOKEN, calls);
    tap(server, client, 1, answers);
  });
  const path = join(folder, 'relay.sock');
  relay.listen(path);
  await once(relay, 'listening');
  const proxy = await pm.connect<Served>(`unix:${path}`, { token: TOKEN });
  // What hangs is found elsewhere; a recording needs traffic only.
  await Promise.race([Promise.allSettled(Object.values(richSession(proxy))), new Promise((resolve) => setTimeout(resolve, LONGEST))]);
  await (proxy.$handle as unknown as { close(): Promise<void> }).close();
  relay.close();
  await served.$handle.stop();
  return { calls, answers };
}

const LONGEST = 2_000;
const MAGIC_AND_TOKEN = 'MIMAS1\n'.length + 2 + Buffer.byteLength(TOKEN);

/** Passes on what comes from `source`, and keeps its frames; `skip`: bytes of the handshake. */
function tap(source: net.Socket, target: net.Socket, skip: number, frames: Batch[]): void {
  let rest = Buffer.alloc(0);
  let skipped = false;
  source.on('data', (chunk: Buffer) => {
    target.write(chunk);
    rest = Buffer.concat([rest, chunk]);
    if (!skipped && rest.length >= skip) {
      skipped = true;
      rest = rest.subarray(skip);
    }
    while (skipped && rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) {
      const end = 4 + rest.readUInt32LE(0);
      frames.push(unpackBatch(Uint8Array.from(rest.subarray(4, end))));
      rest = rest.subarray(end);
    }
  });
  source.on('error', () => {});
  source.on('close', () => target.destroy());
}
