// What a process that works, but hardly as it was meant, makes its caller hear.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';

const folder = mkdtempSync(join(tmpdir(), 'advice-'));
const pm = createProcessManager();
afterAll(async () => {
  await pm.shutdown();
  rmSync(folder, { recursive: true });
});

it('a class without any public method is warned of when it is spawned, with its file', async () => {
  const file = join(folder, 'forgotten.process.ts');
  writeFileSync(file, `import { Process } from '${new URL('../../dist/index.js', import.meta.url).pathname}';\n@Process({ name: 'forgotten' }) export default class Forgotten { add(a: number, b: number) { return a + b; } }\n`);
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const forgotten = await pm.spawn<{ add(a: number, b: number): number }>(file);
  expect(await warned).toMatchObject({ name: 'MimasWarning', message: `forgotten has no method that can be called: decorate its methods with @Public() (${file})` });
  await expect(forgotten.add(1, 2)).rejects.toThrow(/forgotten\.add\(\) is not public: decorate it with @Public\(\)/);
});
