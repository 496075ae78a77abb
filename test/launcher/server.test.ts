// What the launcher shows to the network, seen by clients that know nothing of it: reflection, health, status codes, HTTP.
import { credentials, status } from '@grpc/grpc-js';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServeOptions } from 'mimas/launcher';
import { alive, failure, has, HEALTH, nodeServer, start, temporaryFolder, until, type PatternSpec } from './helpers.js';
import { ReflectingClient } from './reflection.js';

const SERVICE = 'prism.launcher.PatternLauncher';
const clients: ReflectingClient[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.close()));

async function serve(patterns: Record<string, PatternSpec> = { p: {} }, options: ServeOptions = {}) {
  const started = await start(patterns);
  const server = await started.launcher.serve({ grpcPort: 0, metricsPort: 0, ...options });
  const client = new ReflectingClient(server.grpcPort, server.token === undefined ? {} : { token: server.token });
  clients.push(client);
  const http = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${server.metricsPort}${path}`, init);
  return { ...started, server, client, http };
}

describe('gRPC', () => {
  it('a client without our files finds the services and uses them all', async () => {
    const { client, launcher, output } = await serve({ 'hello-pattern': { script: nodeServer({ before: 'console.log(process.env.GREETING)' }), config: 'GREETING', health: HEALTH } });
    expect(await client.services()).toEqual(['grpc.health.v1.Health', SERVICE]);
    const launched = await client.call(`${SERVICE}/LaunchPattern`, { patternName: 'hello-pattern', isolation: 'ISOLATION_NAMESPACE', namespace: 'my-app', config: [{ key: 'GREETING', value: 'hi' }] });
    const { grpcPort, pid } = launcher.status('ns:my-app:hello-pattern')!;
    expect(launched).toMatchObject({ processId: 'ns:my-app:hello-pattern', state: 'STATE_RUNNING', address: `localhost:${grpcPort}`, healthy: true, error: '' });
    const info = { patternName: 'hello-pattern', processId: 'ns:my-app:hello-pattern', state: 'STATE_RUNNING', namespace: 'my-app', sessionId: '', pid, errorCount: 0, restartCount: 0, lastError: '' };
    expect(output).toContain('ns:my-app:hello-pattern| hi');
    expect(await client.call(`${SERVICE}/ListPatterns`)).toMatchObject({ patterns: [info], totalCount: 1 });
    expect(await client.call(`${SERVICE}/ListPatterns`, { namespace: 'other' })).toMatchObject({ patterns: [], totalCount: 1 });
    expect(await client.call(`${SERVICE}/ListPatterns`, { state: 'STATE_RUNNING' })).toMatchObject({ patterns: [info] });
    expect(await client.call(`${SERVICE}/GetProcessStatus`, { processId: 'ns:my-app:hello-pattern' })).toMatchObject({ process: info, notFound: false });
    expect(await client.call(`${SERVICE}/Health`, { includeProcesses: true })).toMatchObject({ healthy: true, totalProcesses: 1, runningProcesses: 1, isolationDistribution: [{ key: 'Namespace', value: 1 }], uptimeSeconds: expect.stringMatching(/^\d+$/), processes: [info] });
    expect(await client.call(`${SERVICE}/TerminatePattern`, { processId: 'ns:my-app:hello-pattern', gracePeriodSecs: 10 })).toEqual({ success: true, error: '' });
    expect(alive(pid)).toBe(false);
    expect(await client.call(`${SERVICE}/GetProcessStatus`, { processId: 'ns:my-app:hello-pattern' })).toMatchObject({ notFound: true });
  });

  it.each<[string, object, status, string, string]>([
    ['LaunchPattern', {}, status.INVALID_ARGUMENT, 'pattern_name is required', 'INVALID_CONFIGURATION'],
    ['LaunchPattern', { patternName: 'x' }, status.NOT_FOUND, 'pattern not found: x', 'PATTERN_NOT_FOUND'],
    ['LaunchPattern', { patternName: 'p', isolation: 'ISOLATION_NAMESPACE' }, status.INVALID_ARGUMENT, 'namespace is required for NAMESPACE isolation', 'MISSING_NAMESPACE'],
    ['LaunchPattern', { patternName: 'p', isolation: 'ISOLATION_SESSION', namespace: 'x' }, status.INVALID_ARGUMENT, 'session_id is required for SESSION isolation', 'MISSING_SESSION_ID'],
    ['LaunchPattern', { patternName: 'p', namespace: 'x', gracePeriodSecs: -1 }, status.INVALID_ARGUMENT, 'grace_period_secs must not be negative, got -1', 'INVALID_CONFIGURATION'],
    ['LaunchPattern', { patternName: 'dies', namespace: 'x' }, status.INTERNAL, 'failed to launch process: process ns:x:dies died: exit code 4', 'PROCESS_CRASHED'],
    ['LaunchPattern', { patternName: 'ill', namespace: 'x' }, status.INTERNAL, 'failed to launch process: health check failed: health check timeout after 0.1s; last: false ended with 1', 'HEALTH_CHECK_FAILED'],
    ['TerminatePattern', { processId: 'ns:x:p' }, status.NOT_FOUND, 'process not found: ns:x:p', 'PROCESS_NOT_FOUND'],
    ['TerminatePattern', {}, status.INVALID_ARGUMENT, 'process_id is required', 'INVALID_CONFIGURATION'],
    ['ListPatterns', { state: 99 }, status.INVALID_ARGUMENT, 'unknown state 99', 'INVALID_CONFIGURATION'],
    ['LaunchPattern', { patternName: 'p', namespace: 'x', isolation: 99 }, status.INVALID_ARGUMENT, 'unknown isolation level 99', 'INVALID_ISOLATION_LEVEL'],
    ['GetProcessStatus', {}, status.INVALID_ARGUMENT, 'process_id is required', 'INVALID_CONFIGURATION'],
  ])('%s %o is answered with the right status', async (method, request, code, details, own) => {
    const { client } = await serve({ p: {}, dies: { script: '#!/bin/sh\nexit 4\n' }, ill: { health: 'healthcheck: {type: exec, command: ["false"], startup_timeout: 100ms}\n' } });
    const error = await client.call(`${SERVICE}/${method}`, request).then(() => undefined, (thrown: { code: number; details: string; metadata: { get(name: string): string[] } }) => thrown);
    expect([error?.code, error?.details, error?.metadata.get('mimas-error-code')]).toEqual([code, details, [own]]);
  });

  it('grpc.health.v1 answers for the whole and for the service, and tells watchers of the end', async () => {
    const { client, server } = await serve();
    expect(await client.call('grpc.health.v1.Health/Check', { service: '' })).toEqual({ status: 'SERVING' });
    expect(await client.call('grpc.health.v1.Health/Check', { service: SERVICE })).toEqual({ status: 'SERVING' });
    await expect(client.call('grpc.health.v1.Health/Check', { service: 'other' })).rejects.toMatchObject({ code: status.NOT_FOUND });
    const seen: unknown[] = [];
    await client.stream('grpc.health.v1.Health/Watch', { service: '' }, (message) => seen.push(message['status']));
    await until(() => seen.length === 1);
    await server.close();
    await until(() => seen.length === 2);
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
  });

  it('while it shuts down it says so: NOT_SERVING, 503, UNAVAILABLE; and status is still told', async () => {
    const { client, launcher, http, dir, output } = await serve({ p: { script: '#!/bin/sh\ntrap "while [ ! -f go ]; do sleep 0.02; done; exit 0" TERM\necho ready\nwhile :; do sleep 0.02; done\n' }, ill: { health: 'healthcheck: {type: exec, command: ["false"]}\n' } });
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    await until(() => output.length > 0);
    const calledOff = client.call(`${SERVICE}/LaunchPattern`, { patternName: 'ill', namespace: 'x' }).catch((error: unknown) => error);
    await until(() => launcher.status('ns:x:ill')?.pid !== undefined);
    const down = launcher.shutdown({ timeout: '10s' });
    expect(await calledOff).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('the launcher is shutting down') });
    expect(await client.call('grpc.health.v1.Health/Check', { service: '' })).toEqual({ status: 'NOT_SERVING' });
    expect([(await http('/ready')).status, (await http('/health')).status]).toEqual([503, 503]);
    await expect(client.call(`${SERVICE}/LaunchPattern`, { patternName: 'p', namespace: 'y' })).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'the launcher is shutting down' });
    expect(await client.call(`${SERVICE}/GetProcessStatus`, { processId: 'ns:x:p' })).toMatchObject({ process: { state: 'STATE_TERMINATING' } });
    writeFileSync(join(dir, 'p/go'), '');
    await down;
    await expect(http('/ready')).rejects.toThrow();
  });

  it('with a token, only those who show it get in; health probes may', async () => {
    const { client, server, http } = await serve({ p: {} }, { token: 'open-sesame-please' });
    expect(await client.call(`${SERVICE}/Health`)).toMatchObject({ healthy: true });
    for (const given of [undefined, 'Open-sesame-please', '']) {
      const stranger = new ReflectingClient(server.grpcPort, given === undefined ? {} : { token: given });
      clients.push(stranger);
      await expect(stranger.services()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    }
    expect((await http('/metrics')).status).toBe(401);
    expect((await http('/metrics', { headers: { authorization: 'Bearer open-sesame-please' } })).status).toBe(200);
    expect([(await http('/health')).status, (await http('/ready')).status]).toEqual([200, 200]);
  });

  it('an address that others reach is refused without a token', async () => {
    const { launcher } = await start({ p: {} });
    expect((await failure(launcher.serve({ host: '0.0.0.0', grpcPort: 0, metricsPort: 0 }))).message).toBe('0.0.0.0 can be reached by others: anybody could launch and end processes');
    expect((await failure(launcher.serve({ grpcPrt: 0 } as never))).message).toBe("serve: unknown option 'grpcPrt'; did you mean 'grpcPort'?");
  });

  it('a port that is taken is an error, and nothing stays open', async () => {
    const { launcher, server } = await serve();
    expect((await failure(launcher.serve({ grpcPort: server.grpcPort, metricsPort: 0 }))).code).toBe('INVALID_CONFIGURATION');
    expect((await failure(launcher.serve({ grpcPort: 0, metricsPort: server.metricsPort! }))).code).toBe('INVALID_CONFIGURATION');
  });

  it.skipIf(!has('openssl'))('TLS: both sides are encrypted, and with a ca callers need a certificate', async () => {
    const folder = temporaryFolder();
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'ignore' });
    const cert = readFileSync(join(folder, 'cert.pem'));
    const key = readFileSync(join(folder, 'key.pem'));
    const { launcher } = await start({ p: {} });
    const server = await launcher.serve({ grpcPort: 0, metricsPort: 0, tls: { cert, key, ca: cert } });
    const trusted = new ReflectingClient(server.grpcPort, { channel: credentials.createSsl(cert, key, cert) });
    const nameless = new ReflectingClient(server.grpcPort, { channel: credentials.createSsl(cert) });
    clients.push(trusted, nameless);
    expect(await trusted.call(`${SERVICE}/Health`)).toMatchObject({ healthy: true });
    await expect(nameless.services()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const answer = await new Promise<number | undefined>((resolve, reject) => get({ host: 'localhost', port: server.metricsPort, path: '/ready', ca: cert, cert, key }, (response) => resolve(response.resume().statusCode)).on('error', reject));
    expect(answer).toBe(200);
  });
});

describe('HTTP', () => {
  it('/health, /ready, /metrics and /metrics.json', async () => {
    const { launcher, http } = await serve();
    await launcher.launch({ pattern: 'p', isolation: 'none' });
    expect(await (await http('/health')).json()).toMatchObject({ healthy: true, totalProcesses: 1, runningProcesses: 1, isolationDistribution: { None: 1 } });
    expect(await (await http('/ready')).text()).toBe('ready\n');
    const metrics = await http('/metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('pattern_launcher_processes_total{state="running"} 1\n');
    expect(await (await http('/metrics.json')).json()).toMatchObject({ total_processes: 1, running_processes: 1, process_starts_total: { 'p:None': 1 } });
    expect((await http('/nothing')).status).toBe(404);
    expect((await http('/metrics', { method: 'POST' })).status).toBe(405);
  });
});

describe('metrics', () => {
  it('have the names and help texts of the seed, in Prometheus’ format and in JSON', async () => {
    const { launcher } = await serve({ 'hello-pattern': { script: nodeServer(), health: HEALTH } });
    for (const namespace of ['a', 'b']) await launcher.launch({ pattern: 'hello-pattern', namespace });
    await launcher.launch({ pattern: 'hello-pattern', namespace: 'a' });
    await launcher.terminate('ns:b:hello-pattern');
    const text = await launcher.exportPrometheusMetrics();
    for (const line of [
      '# HELP pattern_launcher_processes_total Total number of processes',
      'pattern_launcher_processes_total{state="running"} 1',
      'pattern_launcher_isolation_level{level="Namespace"} 1',
      '# TYPE pattern_launcher_process_starts_total counter',
      'pattern_launcher_process_starts_total{pattern_isolation="hello-pattern:Namespace"} 2',
      'pattern_launcher_process_stops_total{pattern_isolation="hello-pattern:Namespace"} 1',
      '# TYPE pattern_launcher_launch_duration_seconds summary',
      'pattern_launcher_launch_duration_seconds_count 2',
    ]) expect(text.split('\n')).toContain(line);
    expect(text).toMatch(/pattern_launcher_health_checks_total\{pattern="hello-pattern",result="success"\} \d+/);
    expect(text).toMatch(/pattern_launcher_launch_duration_seconds\{quantile="0.95"\} \d+\.\d+/);
    expect(JSON.parse(JSON.stringify(launcher.exportJsonMetrics()))).toMatchObject({ total_processes: 1, process_starts_total: { 'hello-pattern:Namespace': 2 }, process_stops_total: { 'hello-pattern:Namespace': 1 }, uptime_seconds: expect.any(Number) });
  });

  it('tell CPU and memory of each process, with all that it has started', async () => {
    const { launcher, output } = await start({ busy: { script: `#!/bin/sh\n${process.execPath} -e "for (const end = Date.now() + 300; Date.now() < end;); console.log('done'); setInterval(() => {}, 1000)" &\nwait\n` }, gone: { script: '#!/bin/sh\nexit 1\n' } });
    await launcher.launch({ pattern: 'busy', namespace: 'x' });
    await launcher.launch({ pattern: 'gone', namespace: 'x' }).catch(() => {});
    await until(() => output.length > 0);
    const { process_cpu_seconds_total: cpu, process_resident_memory_bytes: memory } = launcher.exportJsonMetrics();
    expect(Object.keys(cpu)).toEqual(['ns:x:busy']);
    expect(cpu['ns:x:busy']).toBeGreaterThan(0.1);
    expect(memory['ns:x:busy']).toBeGreaterThan(10 * 1024 ** 2);
    const text = await launcher.exportPrometheusMetrics();
    expect(text).toMatch(/^pattern_launcher_process_cpu_seconds_total\{pattern="busy",process_id="ns:x:busy"\} \d+(\.\d+)?$/m);
    expect(text).toMatch(/^pattern_launcher_process_resident_memory_bytes\{pattern="busy",process_id="ns:x:busy"\} \d+$/m);
  });

  it('looks before a process was well are no failed health checks', async () => {
    const { launcher } = await start({ slow: { script: nodeServer({ before: 'const from = Date.now();', status: 'Date.now() - from > 500 ? 200 : 503' }), health: HEALTH } });
    await launcher.launch({ pattern: 'slow', namespace: 'x' });
    const { health_check_failure_total: failed, health_check_success_total: passed } = launcher.exportJsonMetrics();
    expect([failed['slow'], (passed['slow'] ?? 0) > 0]).toEqual([undefined, true]);
  });

  it('percentiles are those of the seed’s example', async () => {
    const { LauncherMetrics } = await import('../../dist/launcher/metrics.js');
    const metrics = new LauncherMetrics(() => ({ total: 0, running: 0, terminating: 0, failed: 0, isolation: {} }), () => 0);
    for (const ms of [1000, 500, 750]) metrics.launched(ms);
    expect([metrics.percentile(50), metrics.percentile(95)]).toEqual([0.75, 1]);
  });

  it.skipIf(!has('promtool'))('pass promtool check metrics, whatever the names of patterns and namespaces', async () => {
    const { launcher } = await serve({ 'we"ird\\n': { manifest: 'name: "we\\"ird\\\\n"\nversion: 1.0.0\nexecutable: ./run\n' }, p: {} });
    await launcher.launch({ pattern: 'we"ird\\n', namespace: 'a"b\n\\' });
    await launcher.launch({ pattern: 'p', isolation: 'none' });
    const { status: code, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await launcher.exportPrometheusMetrics(), encoding: 'utf8' });
    expect([code, stdout, stderr]).toEqual([0, '', '']);
  });
});
