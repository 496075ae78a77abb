// The quick start of the seed, step by step, as examples/launcher tells it.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { root } from '../helpers/compile.js';

it('examples/launcher tells the story of the quick start, and leaves nothing behind', { timeout: 40_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', './dist/register.js', 'examples/launcher/story.ts'], { cwd: root, encoding: 'utf8', timeout: 35_000 });
  expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
  const lines = stdout.split('\n');
  let at = -1;
  for (const expected of [
    'Launcher service started with 3 patterns',
    /^\[launcher\] Launched process: pattern=hello-pattern, pid=\d+$/,
    '[ns:my-app:hello-pattern] Starting hello-pattern pattern',
    '[ns:my-app:hello-pattern]   Namespace: my-app',
    '✓ Pattern launched successfully!',
    '  Process ID: ns:my-app:hello-pattern',
    /^ {2}Address: localhost:\d+$/,
    '  Healthy: true',
    '  "healthy": true,',
    '  "totalProcesses": 1,',
    '    "Namespace": 1',
    'OK - hello-pattern is healthy',
    'ns:tenant-b:hello-pattern',
    'session:tenant-a:user-123:hello-shell',
    'shared:hello-process',
    'hello world, from shared:hello-process',
    '[launcher] Process ns:my-app:hello-pattern is dead, will restart',
    /^\[launcher\] Launched process: pattern=hello-pattern, pid=\d+$/,
    'another pid: true',
    'pattern_launcher_processes_total{state="running"} 4',
    'pattern_launcher_process_starts_total{pattern_isolation="hello-pattern:Namespace"} 3',
    '[ns:my-app:hello-pattern] Shutdown signal received',
    '{"success":true,"error":""}',
    'found afterwards: false',
  ]) {
    const next = lines.findIndex((line, i) => i > at && (typeof expected === 'string' ? line === expected : expected.test(line)));
    expect(next, `${String(expected)} after line ${at + 1} of\n${stdout}`).toBeGreaterThan(at);
    at = next;
  }
});
