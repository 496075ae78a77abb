// A program in one package whose processes are in another, which its node_modules has as a link.
import { createProcessManager } from 'mimas';

export async function answers(options) {
  const pm = createProcessManager(options);
  try {
    const words = await pm.spawn(new URL(import.meta.resolve('@acme/jobs/words.process')));
    const plain = await pm.spawn(new URL(import.meta.resolve('@acme/jobs/plain.process')));
    return [await words.count('the quick fox'), await words.legacy(), await plain.upper('a')];
  } finally {
    await pm.shutdown();
  }
}
