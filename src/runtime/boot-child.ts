// What a child process does first: boot-child.cjs, which the bundler writes, calls it. The channel is the pipe that the owner left at
// descriptor 3; when it ends, so does this.
import type { Duplex } from 'node:stream';
import { withLatency } from '../transport/polled-link.js';
import { StreamLink } from '../transport/stream-link.js';
import type { LatencyMode } from '../types.js';
import { Host } from './host.js';
import { watchStart } from './watch-start.js';

/** For the shutdown hooks of a process whose owner vanished; the guardian comes a little later. */
const ORPHAN_HOOKS_MS = 400;

export function bootChild(): void {
  const { maxFrame, latency, name, sourceMaps } = JSON.parse(process.env['MIMAS_CHANNEL'] ?? '{}') as { maxFrame?: number; latency?: LatencyMode; name?: string; sourceMaps?: boolean };
  delete process.env['MIMAS_CHANNEL'];
  if (sourceMaps) process.setSourceMapsEnabled(true);
  if (name) process.title = `mimas: ${name}`;

  const link = withLatency(new StreamLink(channelAt(3), { label: 'main', trusted: true, maxFrame }), latency);
  const host = new Host(link, maxFrame, (stopped) => {
    if (stopped) process.exit(0);
    void host.stop({ reason: 'owner gone', signal: undefined, drain: 0, hooks: ORPHAN_HOOKS_MS }).finally(() => process.exit(1));
  });
  watchStart(host);

  const leave = (signal: NodeJS.Signals) => {
    void host.stop({ reason: 'signal', signal, drain: 0, hooks: 5_000 }).finally(() => process.exit(0));
  };
  process.once('SIGTERM', leave);
  // The owner gets the terminal's Ctrl+C as well, and decides.
  process.on('SIGINT', () => {});
}

/** The pipe at a descriptor, both ways. */
function channelAt(fd: number): Duplex {
  // Threads load this file as well, and have no use for any of this.
  if (!process.versions['bun']) return new (process.getBuiltinModule('node:net').Socket)({ fd, readable: true, writable: true });
  // Bun (1.4) makes no socket of a descriptor.
  const { createReadStream, createWriteStream } = process.getBuiltinModule('node:fs');
  const { Duplex } = process.getBuiltinModule('node:stream');
  return Duplex.from({ readable: createReadStream('', { fd, autoClose: false }), writable: createWriteStream('', { fd, autoClose: false }) });
}
