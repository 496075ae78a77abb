// The launcher's quick start, from the first launch to the last: an embedded launcher, and a gRPC client that talks to it.
// Run it:  npm run build && node --import mimas/register examples/launcher/story.ts
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { createLauncher } from 'mimas/launcher';
import type Hello from './patterns/hello-process/hello.process.js';

const step = (title: string) => console.log(`\n=== ${title} ===`);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

step('Start the launcher service');
await using launcher = await createLauncher({
  preset: 'development',
  patternsDir: fileURLToPath(new URL('./patterns', import.meta.url)),
  log: (line) => console.log(`[launcher] ${line}`),
  onOutput: ({ id, line }) => console.log(`[${id}] ${line}`),
});
const server = await launcher.serve({ grpcPort: 0, metricsPort: 0 });
console.log(`Launcher service started with ${launcher.registry.count} patterns`);

step('Launch the first pattern');
// Any gRPC client does; one that uses the server's reflection does not even need the file.
type Call = (request: object, metadata: Metadata, done: (error: Error | null, answer: Record<string, never>) => void) => void;
const proto = fileURLToPath(new URL('./proto/launcher.proto', import.meta.resolve('mimas/launcher')));
const { prism } = loadPackageDefinition(loadSync(proto, { longs: String, enums: String, defaults: true })) as never as { prism: { launcher: { PatternLauncher: new (address: string, c: object) => Record<string, Call> & { close(): void } } } };
const client = new prism.launcher.PatternLauncher(`localhost:${server.grpcPort}`, credentials.createInsecure());
// It shows the token that the launcher made: other users of this machine do not have it.
const metadata = new Metadata();
metadata.set('authorization', `Bearer ${server.token}`);
const call = (method: string, request: object = {}) => new Promise<Record<string, unknown>>((resolve, reject) => client[method]!(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))));

const launched = await call('LaunchPattern', { patternName: 'hello-pattern', isolation: 'ISOLATION_NAMESPACE', namespace: 'my-app' });
console.log('✓ Pattern launched successfully!');
console.log(`  Process ID: ${launched['processId']}`);
console.log(`  Address: ${launched['address']}`);
console.log(`  Healthy: ${launched['healthy']}`);

step('Verify that it runs');
const { healthy, totalProcesses, runningProcesses, isolationDistribution } = await call('Health');
console.log(JSON.stringify({ healthy, totalProcesses, runningProcesses, isolationDistribution }, null, 2));
const { healthPort, pid } = launcher.status('ns:my-app:hello-pattern')!;
console.log((await (await fetch(`http://localhost:${healthPort}/health`)).text()).trim());

step('Isolation: the same pattern for another tenant, others for a session and for all');
const other = await launcher.launch({ pattern: 'hello-pattern', namespace: 'tenant-b' });
const session = await launcher.launch({ pattern: 'hello-shell', namespace: 'tenant-a', session: 'user-123' });
const shared = await launcher.launch({ pattern: 'hello-process' });
console.log([other, session, shared].map(({ processId }) => processId).join('\n'));
console.log(await launcher.proxy<Hello>('shared:hello-process').greet('world'));

step('Kill it: it comes back');
process.kill(pid!, 'SIGKILL');
while (launcher.status('ns:my-app:hello-pattern')?.restartCount !== 1 || !launcher.status('ns:my-app:hello-pattern')?.healthy) await wait(20);
console.log(`another pid: ${launcher.status('ns:my-app:hello-pattern')?.pid !== pid}`);

step('Metrics');
const metrics = await (await fetch(`http://localhost:${server.metricsPort}/metrics`)).text();
console.log(metrics.split('\n').filter((line) => /^pattern_launcher_process(es|_starts|_restarts)_total/.test(line)).join('\n'));

step('Terminate it: SIGTERM, wait, SIGKILL');
console.log(JSON.stringify(await call('TerminatePattern', { processId: 'ns:my-app:hello-pattern', gracePeriodSecs: 10 })));
console.log(`found afterwards: ${(await call('GetProcessStatus', { processId: 'ns:my-app:hello-pattern' }))['notFound'] !== true}`);

client.close();
