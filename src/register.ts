// `node --import mimas/register main.ts`: runs a TypeScript program without another loader. The program's first file and what
// it imports are compiled as process files are; packages are left alone. Threads and children bring their own hooks.
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const entry = process.argv[1];
if (isMainThread && entry !== undefined && /\.[cm]?ts$/.test(entry)) {
  const { registerTypeScript } = await import('./runtime/typescript.js');
  await registerTypeScript(entry);
  // Lines of sources are shown from now on: of this package's own, too.
  (createRequire(import.meta.url)('./chunks/core.cjs') as { showSources(): void }).showSources();
}
