// The seed's example, run as a user would run it (against dist/, which `npm test` builds first).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const built = existsSync(`${root}dist/supervisor/index.js`);
if (!built) console.warn('SKIPPED: examples/supervisor.ts needs dist/; run `npm run build`.');

it.skipIf(!built)('prints the lines that the seed shows, in order, and exits by itself', () => {
  const run = spawnSync(process.execPath, ['--import', 'mimas/register', 'examples/supervisor.ts'], { cwd: root, encoding: 'utf8', env: { ...process.env, SPEED: '10' }, timeout: 15_000 });
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
  const lines = run.stdout.split('\n');
  let at = -1;
  // Uptimes are not compared: at ten times the pace a busy machine is soon a second off.
  for (const expected of [
    '=== MemStore ProcessManager Example ===',
    '--- Starting 3 MemStore processes ---',
    'Creating new MemStore instance: memstore-1',
    /^Initializing MemStore memstore-1 with config: ./,
    'Starting MemStore memstore-1',
    'Checking health of MemStore memstore-1',
    'MemStore memstore-1 health: healthy - healthy, 0 keys stored',
    '--- Checking process health ---',
    'Total processes: 3',
    'Running processes: 3',
    'Failed processes: 0',
    'Work queue depth: 3',
    /^  Process memstore-1: state=Syncing, healthy=true, uptime=\d+s, errors=0$/,
    /^  Process memstore-2: state=Syncing, healthy=true, uptime=\d+s, errors=0$/,
    /^  Process memstore-3: state=Syncing, healthy=true, uptime=\d+s, errors=0$/,
    '--- Running for 15 seconds (periodic resyncs will occur) ---',
    'Checking health of MemStore memstore-3',
    '--- Updating memstore-2 configuration ---',
    /^Initializing MemStore memstore-2 with config: ./,
    '--- Terminating memstore-1 gracefully ---',
    'Stopping MemStore memstore-1 (grace period: 5 seconds)',
    'MemStore memstore-1 stopped successfully',
    '--- Final health check ---',
    'Total processes: 3',
    'Running processes: 2',
    'Terminating processes: 0',
    /^  Process memstore-1: state=Finished, healthy=false, uptime=\d+s$/,
    /^  Process memstore-2: state=Syncing, healthy=true, uptime=\d+s$/,
    /^  Process memstore-3: state=Syncing, healthy=true, uptime=\d+s$/,
    '--- Shutting down process manager ---',
    'Shutdown completed successfully',
    '=== Example complete ===',
  ]) {
    const next = lines.findIndex((line, i) => i > at && (typeof expected === 'string' ? line === expected : expected.test(line)));
    expect(next, `${String(expected)} after line ${at + 1}`).toBeGreaterThan(at);
    at = next;
  }
});
