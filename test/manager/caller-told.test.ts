// Whoever asks for a process that cannot start finds the own line in the stack of the error, however far away the start went wrong.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createProcessManager, type Isolation, type ProcessManager } from '../../dist/index.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder();
const dist = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
const FILES: Readonly<Record<string, string>> = {
  'not-there': '',
  'import-fails': "import './nothing.js'; export default 1;",
  'syntax': 'export default class {',
  'throws': "throw new RangeError('at load');",
  'no-class': 'export const a = 1;',
  'init-fails': `import { Process } from '${dist}'; class A { init() { throw new TypeError('in init'); } } Process({ name: 'a' })(A); export default A;`,
  'constructor-fails': `import { Process } from '${dist}'; class A { constructor() { throw new TypeError('in new'); } } Process({ name: 'a' })(A); export default A;`,
  'exits': 'process.exit(3);',
  'hangs': 'await new Promise(() => setInterval(() => {}, 1000));',
};
for (const [name, text] of Object.entries(FILES)) if (text) writeFileSync(join(folder, `${name}.process.mjs`), text);
const at = (name: string): string => join(folder, `${name}.process.mjs`);

const KINDS: Readonly<Record<string, (pm: ProcessManager, file: string, isolation: Isolation) => Promise<unknown>>> = {
  spawn: async function asksForSpawn(pm, file, isolation) {
    return await pm.spawn(file, { isolation, ...(file === at('hangs') ? { startupTimeout: 500 } : {}) });
  },
  pool: async function asksForPool(pm, file, isolation) {
    return await pm.pool(file, { isolation, size: 1 });
  },
  isolate: async function asksForIsolate(pm, file, isolation) {
    return await pm.isolate(file, { isolation, level: 'none' }).get();
  },
  supervise: async function asksForSupervise(pm, file, isolation) {
    return await pm.supervise([{ name: 'a', file, options: { isolation } }]);
  },
  serve: async function asksForServe(pm, file, isolation) {
    return await pm.serve(file, { isolation });
  },
};

async function stackOf(ask: (pm: ProcessManager) => Promise<unknown>): Promise<string> {
  await using pm = createProcessManager();
  return await ask(pm).then(() => 'it started', (error: Error) => error.stack ?? '');
}
const asker = (name: string) => new RegExp(`\\n    at .*\\basksFor${name}\\b.*caller-told\\.test\\.ts:\\d+`, 'i');

describe.each(['none', 'worker', 'child'] as const)('isolation %s', (isolation) => {
  const files = Object.keys(FILES).filter((name) => isolation !== 'none' || name !== 'exits');
  it.each(files)('a file that %s', async (name) => {
    const stack = await stackOf((pm) => KINDS['spawn']!(pm, at(name), isolation));
    expect(stack).toMatch(asker('spawn'));
    expect(stack).toMatch(/^(?:ProcessStartError|InitError): /);
  }, 30_000);

  it.each(Object.keys(KINDS))('%s', async (kind) => {
    expect(await stackOf((pm) => KINDS[kind]!(pm, at('import-fails'), isolation))).toMatch(asker(kind));
  }, 30_000);
});

it('a CPU pool, without frames of this package', async () => {
  const stack = await stackOf(async function asksForThreads(pm) {
    return await pm.pool(at('throws'), { workload: 'cpu', size: 1 });
  });
  expect(stack).toMatch(asker('threads'));
  expect(stack).not.toMatch(/core-body|dist.pool/);
});

it('a connection that nothing answers', async () => {
  expect(await stackOf(async function asksForConnection(pm) {
    return await pm.connect('tcp://127.0.0.1:1');
  })).toMatch(asker('connection'));
});

it('the line of the process stands above, and that of the caller once', async () => {
  const stack = await stackOf(async function asksForInit(pm) {
    return await pm.spawn(at('init-fails'));
  });
  expect(stack.match(/asksForInit/g)).toHaveLength(1);
  expect(stack.indexOf('--- ')).toBeLessThan(stack.indexOf('asksForInit'));
});
