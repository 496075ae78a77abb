// Folders that go with the test file that made them, whatever is in them by then.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];
// Hooks run in reverse order: those of the file itself, which end processes, come before this one. What still writes is outwaited.
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })));

export function temporaryFolder(prefix = 'mimas-'): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  folders.push(folder);
  return folder;
}
