// Launching: who shares a process, what it is given, and what may be launched.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProcessManager } from 'mimas';
import { createLauncher, processIdOf } from 'mimas/launcher';
import { Ports } from '../../dist/launcher/ports.js';
import { addPattern, alive, failure, has, HEALTH, nodeServer, ownPorts, start, startOver, temporaryFolder, until } from './helpers.js';
import { startSquatter } from '../helpers/squatter.js';
import { crash, program } from './programs.js';

describe('isolation', () => {
  it('14. NAMESPACE: ns1, ns2, ns1 are two processes, ns:ns1 and ns:ns2', async () => {
    const { launcher } = await start({ p: {} });
    const infos = [];
    for (const namespace of ['ns1', 'ns2', 'ns1']) infos.push(await launcher.launch({ pattern: 'p', isolation: 'namespace', namespace }));
    expect(infos.map(({ processId }) => processId)).toEqual(['ns:ns1:p', 'ns:ns2:p', 'ns:ns1:p']);
    expect(new Set(infos.map(({ pid }) => pid)).size).toBe(2);
    expect(infos.every(({ pid }) => alive(pid))).toBe(true);
  });

  it('NONE: one process for all; SESSION: one a session, also when two namespaces use the same session id', async () => {
    const { launcher } = await start({ p: {} });
    const ids: string[] = [];
    const pids = new Set<number | undefined>();
    for (const [isolation, namespace, session] of [['none', 'a', '1'], ['none', 'b', '2'], ['session', 'a', '1'], ['session', 'b', '1'], ['session', 'a', '2'], ['namespace', 'a', '1']] as const) {
      const info = await launcher.launch({ pattern: 'p', isolation, namespace, session });
      ids.push(info.processId);
      pids.add(info.pid);
    }
    expect(ids).toEqual(['shared:p', 'shared:p', 'session:a:1:p', 'session:b:1:p', 'session:a:2:p', 'ns:a:p']);
    expect(pids.size).toBe(5);
  });

  it('parts are escaped: no two keys have the same id', () => {
    const id = (namespace: string, session: string, pattern = 'p') => processIdOf({ level: 'session', namespace, session, pattern });
    expect(id('a:b', 'c')).toBe('session:a%3Ab:c:p');
    expect(id('a', 'b:c')).toBe('session:a:b%3Ac:p');
    expect(id('a%3Ab', 'c')).toBe('session:a%253Ab:c:p');
    expect(processIdOf({ level: 'namespace', namespace: '../../etc', pattern: 'p' })).toBe('ns:..%2F..%2Fetc:p');
  });

  it('15. 20 concurrent requests for one key are one start', async () => {
    const { launcher, dir } = await start({ p: { script: nodeServer({ before: "require('node:fs').appendFileSync('starts', process.pid + '\\n')" }), health: HEALTH } });
    const infos = await Promise.all(Array.from({ length: 20 }, () => launcher.launch({ pattern: 'p', namespace: 'x' })));
    expect(new Set(infos.map(({ pid }) => pid)).size).toBe(1);
    expect(readFileSync(join(dir, 'p/starts'), 'utf8').trim().split('\n')).toEqual([String(infos[0]!.pid)]);
    expect(launcher.exportJsonMetrics().process_starts_total).toEqual({ 'p:Namespace': 1 });
  });

  it('16. a process that ends at once is told promptly with its cause, stays nowhere, and the next launch tries again', async () => {
    const { launcher, dir } = await start({ p: { script: '#!/bin/sh\necho "no config" >&2\nexit 3\n', health: HEALTH } });
    const asked = performance.now();
    const error = await failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    expect(performance.now() - asked).toBeLessThan(2000);
    expect(error.code).toBe('PROCESS_CRASHED');
    expect(error.message).toBe('process ns:x:p died: exit code 3\n    no config');
    await until(() => launcher.list().length === 0);
    writeFileSync(join(dir, 'p/run'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    addPattern(dir, 'p');
    launcher.reload();
    expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).state).toBe('RUNNING');
  });

  it('17. two patterns of one namespace have ids, pids and ports of their own, and an address', async () => {
    const server = { script: nodeServer(), health: HEALTH };
    const { launcher } = await start({ p1: server, p2: server });
    const [one, two] = await Promise.all(['p1', 'p2'].map((pattern) => launcher.launch({ pattern, namespace: 'a' })));
    expect([one?.processId, two?.processId]).toEqual(['ns:a:p1', 'ns:a:p2']);
    expect(one!.pid).not.toBe(two!.pid);
    expect(new Set([one!.grpcPort, one!.healthPort, two!.grpcPort, two!.healthPort]).size).toBe(4);
    for (const info of [one!, two!]) {
      expect(info.address).toBe(`localhost:${info.grpcPort}`);
      expect(await (await fetch(`http://127.0.0.1:${info.healthPort}/health`)).text()).toBe(`OK - ${info.pattern} is healthy\n`);
    }
  });

  it('a request without a level takes that of the manifest, else the launcher’s', async () => {
    const { launcher } = await start({ mine: { level: 'session' }, plain: {} }, { defaultIsolation: 'none' });
    expect((await launcher.launch({ pattern: 'mine', namespace: 'a', session: 's' })).processId).toBe('session:a:s:mine');
    expect((await launcher.launch({ pattern: 'plain' })).processId).toBe('shared:plain');
  });

  it.each([
    [{ isolation: 'namespace' }, 'MISSING_NAMESPACE', 'namespace is required for NAMESPACE isolation'],
    [{ isolation: 'session', namespace: 'a' }, 'MISSING_SESSION_ID', 'session_id is required for SESSION isolation'],
    [{ isolation: 'session', session: 'a' }, 'MISSING_NAMESPACE', 'namespace is required for SESSION isolation'],
    [{ isolation: 'galaxy' }, 'INVALID_ISOLATION_LEVEL', 'invalid isolation_level: galaxy (must be none, namespace, or session)'],
    [{ isolation: 'none', config: { 'A=B': 'x' } }, 'INVALID_CONFIGURATION', 'config: "A=B" cannot be an environment variable'],
    [{ isolation: 'none', sessionId: 'x' }, 'INVALID_CONFIGURATION', "launch: unknown option 'sessionId'; did you mean 'session'?"],
    [{ namespace: 5 }, 'INVALID_CONFIGURATION', 'namespace must be a text'],
    [{ namespace: 'x', gracePeriod: 'soon' }, 'INVALID_CONFIGURATION', expect.stringContaining('gracePeriod')],
    [{ isolation: 'namespace', namespace: 'x'.repeat(257) }, 'INVALID_CONFIGURATION', 'namespace is longer than 256 characters'],
  ])('%o is refused', async (request, code, message) => {
    const { launcher } = await start({ p: {} });
    const error = await failure(launcher.launch({ pattern: 'p', ...request } as never));
    expect([error.code, error.message]).toEqual([code, message]);
  });

  it('maxConcurrentStarts: no more start at a time, and all do in the end', async () => {
    const { launcher } = await start({ p: { script: `#!/bin/sh\necho $NAMESPACE >> ../started\nexec sleep 60\n`, health: 'healthcheck: {type: exec, command: [sh, -c, "test -e ../go"]}\n' } }, { maxConcurrentStarts: 2 });
    const all = Promise.all(['a', 'b', 'c', 'd'].map((namespace) => launcher.launch({ pattern: 'p', namespace })));
    const running = () => launcher.list().filter(({ pid }) => pid !== undefined).length;
    await until(() => running() === 2);
    expect(launcher.list().filter(({ state }) => state === 'STARTING')).toHaveLength(4);
    writeFileSync(join(launcher.registry.get('p').folder, '../go'), '');
    expect((await all).map(({ healthy }) => healthy)).toEqual([true, true, true, true]);
    expect((await failure(createLauncher({ maxConcurrentStarts: 0 }))).message).toBe('maxConcurrentStarts must be a whole number of at least 1, got 0');
  });

  it('maxProcesses is a limit', async () => {
    const { launcher } = await start({ p: {} }, { maxProcesses: 1 });
    await launcher.launch({ pattern: 'p', namespace: 'a' });
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'b' }))).code).toBe('RESOURCE_LIMIT_EXCEEDED');
    await launcher.terminate('ns:a:p', { force: true });
    await launcher.launch({ pattern: 'p', namespace: 'b' });
  });
});

describe('environment', () => {
  it('the manifest comes first, then the request, then the launcher’s own variables, which nobody overrides', async () => {
    const manifest = 'name: p\nversion: 1.0.0\nexecutable: ./run\nconfig: [ALSO]\nenvironment: {FROM: manifest, ASKED: manifest, GRPC_PORT: "1", PATTERN_NAME: other}\n';
    const { launcher, output } = await start({ p: { manifest, script: '#!/bin/sh\necho "$FROM $ASKED $ALSO $PATTERN_NAME $NAMESPACE $SESSION_ID $GRPC_PORT $HEALTH_PORT $PROCESS_ID"\nexec sleep 60\n' } });
    const { grpcPort, healthPort } = await launcher.launch({ pattern: 'p', isolation: 'session', namespace: 'n', session: 's', config: { ASKED: 'request', ALSO: 'asked' } });
    await until(() => output.length > 0);
    expect(output).toEqual([`session:n:s:p| manifest request asked p n s ${grpcPort} ${healthPort} session:n:s:p`]);
    expect(launcher.logs('session:n:s:p')).toHaveLength(1);
  });
});

describe('what cannot be started', () => {
  it('an interpreter that is not there is told as what it is', async () => {
    const { launcher } = await start({ p: { script: '#!/no/such/interpreter\n' } });
    const error = await failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    expect([error.code, error.message]).toEqual(['PROCESS_START_FAILED', expect.stringMatching(/spawn .*run ENOENT \(the file is there; the interpreter in its first line is not\)$/)]);
    expect(launcher.list()).toEqual([]);
  });

  it('an environment that is too large is a failed start, not the end of the launcher', async () => {
    const { launcher } = await start({ p: { config: 'BIG' } });
    const error = await failure(launcher.launch({ pattern: 'p', namespace: 'x', config: { BIG: 'x'.repeat(3 << 20) } }));
    expect([error.code, error.message]).toEqual(['PROCESS_START_FAILED', expect.stringContaining('E2BIG')]);
    expect((await launcher.launch({ pattern: 'p', namespace: 'x' })).state).toBe('RUNNING');
  });
});

it('the token of the launcher is not handed to patterns; one that a request gives is', async () => {
  process.env['MIMAS_TOKEN'] = 'the-token-of-the-launcher';
  try {
    const { launcher, output } = await start({ p: { config: 'MIMAS_TOKEN', script: '#!/bin/sh\necho "token=$MIMAS_TOKEN"\nexec sleep 60\n' } });
    await launcher.launch({ pattern: 'p', namespace: 'a' });
    await launcher.launch({ pattern: 'p', namespace: 'b', config: { MIMAS_TOKEN: 'given' } });
    await until(() => output.length === 2);
    expect(output.toSorted()).toEqual(['ns:a:p| token=', 'ns:b:p| token=given']);
  } finally {
    delete process.env['MIMAS_TOKEN'];
  }
});

describe('ports', () => {
  it('are never shared: not with a listener, not with another launcher, and not twice', async () => {
    const server = createServer();
    const taken = await new Promise<number>((resolve) => server.listen(0, '0.0.0.0', () => resolve((server.address() as { port: number }).port)));
    const folder = temporaryFolder();
    const range = { from: taken, to: taken + 50 };
    const [a, b] = [new Ports(range, folder), new Ports(range, folder)];
    const ports = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? a : b).take()));
    expect(new Set(ports).size).toBe(10);
    expect(ports).not.toContain(taken);
    a.close();
    b.close();
    server.close();
  });

  it('claims of programs that run beside each other are respected, those of dead ones are not', { timeout: 20_000 }, async () => {
    const folder = temporaryFolder();
    const from = ownPorts() + 21;
    const ports = JSON.stringify(new URL('../../dist/launcher/ports.js', import.meta.url).href);
    const take = () => program<number[]>(`
      const { Ports } = await import(${ports});
      const ports = new Ports({ from: ${from}, to: ${from + 79} }, ${JSON.stringify(folder)});
      console.log(JSON.stringify(await Promise.all(Array.from({ length: 20 }, () => ports.take()))));
      setInterval(() => {}, 1000);`);
    const programs = await Promise.all([take(), take(), take()]);
    const taken = programs.flatMap(({ told }) => told);
    expect(new Set(taken).size).toBe(60);
    await Promise.all(programs.map(({ child }) => crash(child)));
    const { told } = await take();
    expect(told).toHaveLength(20);
    expect(Math.max(...told)).toBeLessThan(from + 20);
    // What was claimed by the dead is in the way of nobody, but it is there until a launcher starts.
    expect(readdirSync(folder)).toHaveLength(60);
    new Ports({ from, to: from + 79 }, folder).tidy();
    expect(readdirSync(folder).toSorted()).toEqual(told.map((port) => `port-${port}`).toSorted());
  });

  it('are not claimed in a folder that others can enter', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    await expect(new Ports(undefined, folder).take()).rejects.toMatchObject({ code: 'PORT_ALLOCATION_FAILED', message: `ports cannot be claimed: ${folder} is not a folder of this user alone (mode 0700); set TMPDIR to another temporary folder` });
  });

  it('prefer what is asked for, and say when there are none', async () => {
    const from = ownPorts();
    const ports = new Ports({ from, to: from + 1 }, temporaryFolder());
    expect(await ports.take(from + 9)).toBe(from + 9);
    expect([await ports.take(), await ports.take()]).toEqual([from, from + 1]);
    await expect(ports.take()).rejects.toMatchObject({ code: 'PORT_ALLOCATION_FAILED' });
    ports.release([from]);
    expect(await ports.take()).toBe(from);
  });

  it('a manifest’s health port is taken when it is free, else another', async () => {
    const port = ownPorts() + 20;
    const health = HEALTH.replace('healthcheck:\n', `healthcheck:\n  port: ${port}\n`);
    const { launcher } = await start({ p: { script: nodeServer(), health } });
    expect((await launcher.launch({ pattern: 'p', namespace: 'a' })).healthPort).toBe(port);
    expect((await launcher.launch({ pattern: 'p', namespace: 'b' })).healthPort).not.toBe(port);
  });
});

describe('health', () => {
  it.each(['127.0.0.1', '::1'])('a process that listens at %s alone is well', async (host) => {
    const { launcher } = await start({ p: { script: nodeServer().replace("'127.0.0.1'", `'${host}'`), health: HEALTH } });
    expect(await launcher.launch({ pattern: 'p', namespace: 'x' })).toMatchObject({ healthy: true });
  });

  it('what another program answers, one that was there before, is none', async () => {
    const port = ownPorts() + 90;
    const squatter = startSquatter(port);
    const { launcher } = await start({ p: { script: '#!/bin/sh\necho up\nexec sleep 60\n', health: `healthcheck: {port: ${port}, path: /health, startup_timeout: 2s}\n` } });
    const launched = failure(launcher.launch({ pattern: 'p', namespace: 'x' }));
    await until(() => launcher.status('ns:x:p')?.pid !== undefined);
    expect(launcher.status('ns:x:p')?.healthPort).toBe(port);
    await squatter.listen();
    expect((await launched).message).toContain(`last: port ${port} is answered by another program (pid ${squatter.pid})`);
  });
});

describe('what may be launched', () => {
  it('a shell script with an exec check', async () => {
    const { launcher } = await start({ p: { script: '#!/bin/sh\nsleep 0.1; touch well\nexec sleep 60\n', health: 'healthcheck:\n  type: exec\n  command: [test, -f, well]\n' } });
    expect((await launcher.launch({ pattern: 'p', namespace: 'a' })).healthy).toBe(true);
  });

  it.skipIf(!has('python3'))('Python with an http check', async () => {
    const script = `#!/usr/bin/env python3
import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"python")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["HEALTH_PORT"])), H).serve_forever()
`;
    const { launcher } = await start({ p: { script, health: HEALTH } });
    const { healthPort } = await launcher.launch({ pattern: 'p', namespace: 'a' });
    expect(await (await fetch(`http://127.0.0.1:${healthPort}/health`)).text()).toBe('python');
  });

  it.skipIf(!has('cc'))('a compiled program with a tcp check and arguments', async () => {
    const dir = temporaryFolder();
    const folder = join(dir, 'c');
    mkdirSync(folder);
    writeFileSync(join(folder, 'main.c'), `#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(getenv("HEALTH_PORT"))), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 8)) return 1;
  printf("%d %s\\n", argc, argv[1]); fflush(stdout);
  for (;;) close(accept(s, 0, 0));
}
`);
    expect(spawnSync('cc', ['-o', join(folder, 'main'), join(folder, 'main.c')]).status).toBe(0);
    writeFileSync(join(folder, 'manifest.yaml'), 'name: c\nversion: 1.0.0\nexecutable: ./main\nargs: [hello world]\nhealthcheck: {type: tcp}\n');
    const { launcher, output } = await startOver(dir);
    expect((await launcher.launch({ pattern: 'c', namespace: 'a' })).healthy).toBe(true);
    expect(output).toEqual(['ns:a:c| 2 hello world']);
  });

  it('a Mimas process, with its own health check and a typed proxy', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'm'));
    writeFileSync(join(dir, 'm/greeter.process.mjs'), `import { Process, Public, HealthCheck } from '${join(import.meta.dirname, '../../dist/index.js')}';
export default class Greeter { greet(who) { return \`hello \${who} from \${process.env.PROCESS_ID}\`; } health() { return true; } }
Public()(Greeter.prototype, 'greet', Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet'));
HealthCheck()(Greeter.prototype, 'health', Object.getOwnPropertyDescriptor(Greeter.prototype, 'health'));
Process({ name: 'greeter', version: '1.0.0' })(Greeter);
`);
    writeFileSync(join(dir, 'm/manifest.yaml'), 'name: greeter\nversion: 1.0.0\nprocess: ./greeter.process.mjs\n');
    const { launcher } = await startOver(dir);
    const token = 'a-token-of-many-letters';
    const info = await launcher.launch({ pattern: 'greeter', namespace: 'a', config: { MIMAS_TOKEN: token } });
    expect(info).toMatchObject({ processId: 'ns:a:greeter', state: 'RUNNING', healthy: true });
    expect(info.pid).not.toBe(process.pid);
    const greeter = launcher.proxy<{ greet(who: string): string }>('ns:a:greeter');
    expect(await greeter.greet('you')).toBe('hello you from ns:a:greeter');
    await using pm = createProcessManager();
    const fromElsewhere = await pm.connect<{ greet(who: string): string }>(`tcp://${info.address}`, { token });
    expect(await fromElsewhere.greet('me')).toBe('hello me from ns:a:greeter');
    process.kill(info.pid!, 'SIGKILL');
    await until(() => launcher.status('ns:a:greeter')?.restartCount === 1 && launcher.status('ns:a:greeter')?.healthy);
    expect(await greeter.greet('again')).toBe('hello again from ns:a:greeter');
    expect(await launcher.proxy<{ greet(who: string): string }>('ns:a:greeter').greet('again')).toBe('hello again from ns:a:greeter');
    await launcher.terminate('ns:a:greeter');
    expect(launcher.list()).toEqual([]);
  });
});

describe('options', () => {
  it.each([
    [{ patternsDir: '' }, 'patterns directory cannot be empty'],
    [{ resyncInterval: 500 }, 'resync interval must be at least 1 second, got 500ms'],
    [{ backOffPeriod: -1 }, 'backoff period cannot be negative, got -1'],
    [{ cpuLimit: 0 }, 'CPU limit must be positive, got 0'],
    [{ memoryLimit: '' }, 'memory limit cannot be empty'],
    [{ memoryLimit: 'much' }, 'memoryLimit must be a size such as 256Mi, got: much'],
    [{ leftovers: 'adopt' }, 'leftovers: adopt needs a stateDir, where processes are remembered'],
    [{ patternDir: 'x' }, "unknown option 'patternDir'; did you mean 'patternsDir'?"],
    [{ orphanInterval: 0 }, 'orphan interval must be at least 1 second, got 0ms'],
    [{ watch: 'yes' }, 'watch must be true or false, got yes'],
    [{ log: 'x' }, 'log must be a function'],
    [{ grpcPort: 0 }, "unknown option 'grpcPort'; it belongs to launcher.serve()"],
    [{ preset: 'staging' }, 'preset must be development or production, got staging'],
  ])('%o is refused by name', async (options, message) => {
    const error = await failure(createLauncher(options as never));
    expect([error.code, error.message]).toEqual(['INVALID_CONFIGURATION', message]);
  });

  it('an error tells code, context, cause and suggestion in one line', async () => {
    const { launcher } = await start({ p: {} });
    const error = await failure(launcher.launch({ pattern: 'p', isolation: 'session', namespace: 'a' }));
    expect(String(error)).toBe('[MISSING_SESSION_ID] session_id is required for SESSION isolation; Context: pattern=p, namespace=a; Suggestion: Give a session id, or launch with isolation namespace or none');
  });
});
