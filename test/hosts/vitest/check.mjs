// The four pools of vitest: two evaluate test files as Node does, two in a realm of their own. Its tests are reported one by one.
import { report } from './shared/report.mjs';

for (const pool of ['threads', 'forks', 'vmThreads', 'vmForks']) {
  report(pool, ['node_modules/vitest/vitest.mjs', 'run', `--pool=${pool}`, '--testTimeout=60000', '--hookTimeout=60000', '--reporter=json', '--outputFile=report.json']);
}
