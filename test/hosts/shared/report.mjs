// Runs a test runner that writes Jest's JSON to report.json, and tells each of its tests as one of node:test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';

export function report(name, args) {
  rmSync('report.json', { force: true });
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 200_000, env: { ...process.env, CI: '1', NO_COLOR: '1' } });
  let results = [];
  try {
    results = JSON.parse(readFileSync('report.json', 'utf8')).testResults;
  } catch {}
  for (const { fullName, status: outcome, failureMessages } of results.flatMap(({ assertionResults }) => assertionResults)) {
    test(`${name}: ${fullName}`, () => assert.equal(outcome, 'passed', failureMessages.join('\n')));
  }
  test(`${name}: all tests were found, and the run ended by itself`, () => {
    assert.ok(results.length > 0, stdout + stderr);
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout + stderr, /did not exit|failed to exit|open handle/i);
  });
}
