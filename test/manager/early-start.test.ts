// The first spawn of a manager boots its thread or child before the supervisor is there to keep it: whatever happens meanwhile, nothing is left.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, describe, it } from 'vitest';
import { ProcessStoppedError } from 'mimas';
import { temporaryProject } from '../helpers/compile.js';
import { children, isolated, manager, rejection, subjectFile } from './helpers.js';

const folder = temporaryProject();
/** Comes up never. */
const stuck = join(folder, 'stuck.process.js');
writeFileSync(stuck, `import { Process } from 'mimas';
  class Stuck { init() { return new Promise((resolve) => setTimeout(resolve, 60_000)); } }
  Process()(Stuck);
  export default Stuck;`);

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};
/** Handles of what has ended close so much later. */
const CLOSING = 3;
/** What keeps this program busy that a thread or child would add. */
const busy = () => process.getActiveResourcesInfo().filter((name) => /^(?:Worker|MessagePort|ProcessWrap)$/.test(name));

describe.each(isolated)('isolation %s', (isolation) => {
  it('shutdown ends what boots, at whatever moment it comes', async () => {
    for (let moment = 0; moment < 40; moment = moment * 2 + 1) {
      const pm = manager({ isolation });
      const spawned = rejection(pm.spawn(subjectFile));
      await turns(moment);
      await pm.shutdown({ timeout: 0 });
      expect([moment, children()]).toEqual([moment, []]);
      await turns(CLOSING);
      expect([moment, children(), busy()]).toEqual([moment, [], []]);
      expect(await spawned).toBeInstanceOf(ProcessStoppedError);
    }
  });

  it('shutdown waits for the end of what nothing supervises yet, in a program that has loaded nothing', () => {
    const main = join(folder, 'main.mjs');
    writeFileSync(main, `import { createProcessManager } from 'mimas';
      const pm = createProcessManager({ isolation: '${isolation}' });
      const spawned = pm.spawn(${JSON.stringify(stuck)}).catch(({ name }) => name);
      await pm.shutdown();
      for (let i = 0; i < ${CLOSING}; i++) await new Promise((resolve) => setImmediate(resolve));
      const busy = [];
      for (let i = 0; i < 50; i++) {
        busy.push(...process.getActiveResourcesInfo().filter((name) => /^(?:Worker|MessagePort|ProcessWrap)$/.test(name)));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      console.log(JSON.stringify([busy, await spawned]));`);
    const { stdout, stderr } = spawnSync(process.execPath, [main], { encoding: 'utf8', timeout: 30_000 });
    expect([stderr, JSON.parse(stdout)]).toEqual(['', [[], 'ProcessStoppedError']]);
  });

  it('a start that is given up before the supervisor is there ends at once', async () => {
    const pm = manager({ isolation, startupTimeout: 10_000 });
    const giveUp = new AbortController();
    const spawned = rejection(pm.spawnUnit(stuck, {}, giveUp.signal));
    giveUp.abort();
    const begun = performance.now();
    expect(await spawned).toBeInstanceOf(ProcessStoppedError);
    expect(performance.now() - begun).toBeLessThan(5_000);
    await turns(CLOSING);
    expect([pm.listProcesses(), children(), busy()]).toEqual([[], [], []]);
  });
});
