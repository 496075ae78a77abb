// Prints the closing line of .ci/run from the JSON report of vitest: `N passed, N failed`, alone on a line.
// A test file that could not even be loaded counts as one failure. Exit code 1 when anything failed, or nothing ran.
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = Number(process.argv[3] ?? 0);
try {
  const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  passed = report.numPassedTests;
  failed += report.numFailedTests + report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed')).length;
} catch (error) {
  console.error(`no test report: ${error.message}`);
  failed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
