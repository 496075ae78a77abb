// When a process group is through with.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { groupGone } from '../../src/runtime/group-members.js';
import { processFacts } from '../../src/runtime/process-facts.js';
import { signalGroup } from '../../src/runtime/process-group.js';

it.skipIf(process.platform !== 'linux')('a group is gone when only dead ones are left in it that their parent does not reap', async () => {
  // A parent that is stopped reaps nobody.
  const parent = spawn(process.execPath, ['-e', `console.log(require('node:child_process').spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).pid)`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let group = 0;
  try {
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    group = Number(line);
    parent.kill('SIGSTOP');
    expect(await groupGone(group, 5_000)).toBe(true);
    expect(processFacts(group)?.state).toBe('Z');
  } finally {
    signalGroup(group, 'SIGKILL');
    parent.kill('SIGKILL');
  }
});
