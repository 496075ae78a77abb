// examples/pipeline as processes. As containers it runs in containers.test.ts.
import { it } from 'vitest';
import { runExample } from './example.js';

it('the example counts the words of the documentation, as processes', async () => {
  await runExample(['--orchestrator', 'process']);
});
