// A program that has run out of file descriptors: a start fails and says so, and what runs goes on.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { root, temporaryProject } from '../helpers/compile.js';
import { gone, subjectFile } from '../manager/helpers.js';

const folder = temporaryProject();

/** Runs a program that may have few files open; `fill()` leaves it none, `free()` gives them back. */
function program(source: string): unknown {
  const main = join(folder, 'main.mjs');
  writeFileSync(main, `import { openSync, closeSync } from 'node:fs';
    import { createProcessManager } from 'mimas';
    const open = [];
    const fill = () => { try { for (;;) open.push(openSync('/dev/null')); } catch {} };
    const free = () => open.splice(0).forEach((fd) => closeSync(fd));
    const file = ${JSON.stringify(fileURLToPath(subjectFile))};
    const pm = createProcessManager({ isolation: 'child', restartPolicy: { backoff: { initial: 20 } } });
    ${source}
    await pm.shutdown();`);
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', 'ulimit -n 80; exec "$0" "$1"', process.execPath, main], { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

it('a child that cannot be started is a ProcessStartError', () => {
  const said = program(`
    const subject = await pm.spawn(file);
    fill();
    const said = [await pm.spawn(file).catch(({ name, phase, message }) => [name, phase, message.replaceAll(process.execPath, 'node')])];
    said.push(await subject.add(1, 2));
    free();
    said.push(await (await pm.spawn(file)).add(2, 2));
    console.log(JSON.stringify(said));`);
  expect(said).toEqual([['ProcessStartError', 'resolve', 'subject: node could not be executed: spawn node EMFILE'], 3, 4]);
});

it('a child that died meanwhile comes back when there are descriptors again', () => {
  const said = program(`
    const subject = await pm.spawn(file);
    fill();
    const failed = new Promise((resolve) => subject.$handle.on('status', ({ to }) => to === 'restarting' && setTimeout(resolve, 60)));
    // What the dead one leaves free is taken as well.
    const filling = setInterval(fill, 1);
    await subject.exit(1).catch(() => {});
    await failed;
    clearInterval(filling);
    free();
    console.log(JSON.stringify(await subject.add(1, 2)));`);
  expect(said).toBe(3);
});

it('the guardian that could not be started is started for the next child', async () => {
  const said = program(`
    import { spawn } from 'node:child_process';
    import { guard, unguard } from ${JSON.stringify(join(root, 'dist/runtime/guardian.js'))};
    const [one, two] = [0, 0].map(() => spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }));
    fill();
    guard(one.pid);
    free();
    guard(two.pid);
    console.log(JSON.stringify([one.pid, two.pid]));
    process.exit(0);`) as number[];
  await gone(said, 5_000);
});
