// Jest with ES modules evaluates each test file, and all that it imports, in a realm of its own. Its tests are reported one by one.
import { report } from './shared/report.mjs';

report('jest', ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--json', '--outputFile=report.json']);
