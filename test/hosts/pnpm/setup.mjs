// Installs the tarball with pnpm, and keeps what it said for the checks.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const { status, stdout, stderr } = spawnSync('npm', ['exec', '--yes', '--prefer-offline', '--package=pnpm@12.4.2', '--', 'pnpm', 'add', process.env.MIMAS_TARBALL], { encoding: 'utf8' });
writeFileSync('install.log', stdout + stderr);
console.log(stdout + stderr);
process.exitCode = status ?? 1;
