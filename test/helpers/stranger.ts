// Another user of this machine: programs under a uid of their own, started by root. Who is not root is told that these tests are skipped.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { root } from './compile.js';

/** Nobody's, on most systems. */
export const STRANGER = 65_534;
// `/`: the working directory of the tests may be closed to others.
const AS_STRANGER = { uid: STRANGER, gid: STRANGER, cwd: '/', timeout: 30_000, env: { PATH: process.env['PATH'] } };

/** Runs CommonJS code in an async function as that user; answers what it prints as JSON. Undefined where that cannot be done. */
export const asStranger: ((code: string) => Promise<unknown>) | undefined = process.getuid?.() === 0 && canRead() ? run : undefined;
if (!asStranger) console.warn('SKIPPED: only root can start programs of another user, and that user must be able to read this folder');

/** An expression: a gRPC client that shows nothing but `metadata`, and answers with the name of the status. */
export function clientCode(proto: string, service: string, address: string, metadata: Record<string, string> = {}): string {
  const needed = createRequire(import.meta.url);
  return `(() => {
    const grpc = require(${JSON.stringify(needed.resolve('@grpc/grpc-js'))});
    const { loadSync } = require(${JSON.stringify(needed.resolve('@grpc/proto-loader'))});
    const Service = ${JSON.stringify(service)}.split('.').reduce((at, name) => at[name], grpc.loadPackageDefinition(loadSync(${JSON.stringify(proto)}, { keepCase: true, enums: String })));
    const client = new Service(${JSON.stringify(address)}, grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(${JSON.stringify(metadata)})) metadata.set(name, value);
    return (method, request) => new Promise((resolve) => client[method](request, metadata, (error) => resolve(error ? grpc.status[error.code] : 'OK')));
  })()`;
}

async function run(code: string): Promise<unknown> {
  const child = spawn(process.execPath, ['-e', `(async () => {${code}\nprocess.exit(0);\n})()`], { ...AS_STRANGER, stdio: ['ignore', 'pipe', 'pipe'] });
  const [printed, complaint, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (status !== 0) throw new Error(`the stranger failed: ${complaint}`);
  return JSON.parse(printed);
}

function canRead(): boolean {
  return spawnSync(process.execPath, ['-e', `require('node:fs').readdirSync(${JSON.stringify(root)})`], AS_STRANGER).status === 0;
}
