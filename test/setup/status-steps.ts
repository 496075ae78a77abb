// For every test file: no process, thread or replica of a test may take a step that is not in the table of statuses.
import { afterEach, expect } from 'vitest';
import { watchStatusSteps } from '../../src/supervisor/process-status.js';

const illegal: string[] = [];
watchStatusSteps(({ process, from, to, legal }) => {
  if (!legal) illegal.push(`${process}: ${from} → ${to}`);
});

afterEach(() => {
  expect(illegal.splice(0), 'illegal steps of a status').toEqual([]);
});
