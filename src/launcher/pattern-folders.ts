// Where manifests are: in each folder right below the patterns directory.
import { readdirSync } from 'node:fs';

export const MANIFEST_FILE = 'manifest.yaml';

/** Names of the folders below `root`, links to them included. @throws what `readdirSync` throws */
export const patternFolders = (root: string): string[] =>
  readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
