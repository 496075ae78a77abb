// Compiles our .proto files with protoc into the descriptor sets that reflection serves: node scripts/descriptors.mjs [--check].
// Debian has protoc in protobuf-compiler. A file is known by the name that its package gives it, as everywhere.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SETS = {
  'src/launcher/proto/descriptors.pb': { 'prism/launcher/launcher.proto': 'src/launcher/proto/launcher.proto', 'grpc/health/v1/health.proto': 'src/launcher/proto/health.proto' },
  'src/pipeline/proto/descriptors.pb': { 'flowctl/v1/control_plane.proto': 'src/pipeline/proto/control_plane.proto' },
};

const check = process.argv.includes('--check');
for (const [set, protos] of Object.entries(SETS)) {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-protos-'));
  try {
    for (const [name, file] of Object.entries(protos)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      copyFileSync(join(root, file), join(folder, name));
    }
    const out = join(folder, 'set.pb');
    const { status, error } = spawnSync('protoc', ['-I', folder, '--include_imports', '-o', out, ...Object.keys(protos)], { cwd: folder, stdio: 'inherit' });
    if (error) throw error;
    if (status !== 0) process.exit(1);
    const made = readFileSync(out);
    if (!check) writeFileSync(join(root, set), made);
    else if (!made.equals(readFileSync(join(root, set)))) {
      console.error(`${set} is not what protoc makes of ${Object.values(protos).join(' and ')}: run node scripts/descriptors.mjs`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
