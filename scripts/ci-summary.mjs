// Prints the count of each Node and the closing line of .ci/run from the JSON reports of vitest: `N passed, N failed`, alone on a line.
// Called with the number of what failed besides, then label, report and exit code of each suite. A test file that could not even be
// loaded counts as one failure; so does a suite without a report, without a test, or with an exit code that no test explains.
import { readFileSync } from 'node:fs';

const [besides = '0', ...suites] = process.argv.slice(2);
let passed = 0;
let failed = Number(besides);
for (let at = 0; at < suites.length; at += 3) {
  const count = countOf(suites[at + 1], Number(suites[at + 2]));
  console.log(`${suites[at]}: ${count.passed} passed, ${count.failed} failed${count.problem ? ` (${count.problem})` : ''}`);
  passed += count.passed;
  failed += count.failed;
}
if (Number(besides) > 0) console.log(`beside the tests: ${besides} failed`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

function countOf(file, code) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const unloaded = report.testResults.filter((result) => result.status === 'failed' && result.assertionResults.every((test) => test.status !== 'failed')).length;
    const count = { passed: report.numPassedTests, failed: report.numFailedTests + unloaded };
    if (count.failed > 0) return count;
    if (count.passed === 0) return { ...count, failed: 1, problem: 'no test ran' };
    return code === 0 ? count : { ...count, failed: 1, problem: `ended with code ${code}` };
  } catch (error) {
    return { passed: 0, failed: 1, problem: `no report: ${error.message}` };
  }
}
