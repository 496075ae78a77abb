// Who may start programs through a launcher, and what of a request reaches them: another user of this machine, a stranger who took
// the port, and a caller with the token who wants more than the pattern.
import { status } from '@grpc/grpc-js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { findLauncher, type ServeOptions } from 'mimas/launcher';
import { bin, killStarted, startCommand } from '../helpers/command.js';
import { asStranger, clientCode, STRANGER } from '../helpers/stranger.js';
import { addPattern, failure, kill, start, startOver, temporaryFolder, until, type PatternSpec } from './helpers.js';
import { crash, launcherProgram } from './programs.js';
import { ReflectingClient } from './reflection.js';

const SERVICE = 'prism.launcher.PatternLauncher';
const PROTO = fileURLToPath(new URL('./proto/launcher.proto', import.meta.resolve('mimas/launcher')));
const mode = (path: string) => (lstatSync(path).mode & 0o777).toString(8);
const clients: ReflectingClient[] = [];
afterEach(() => {
  killStarted();
  clients.splice(0).forEach((client) => client.close());
});

async function serve(patterns: Record<string, PatternSpec> = { p: {} }, options: ServeOptions = {}, launcherOptions = {}) {
  const started = await start(patterns, launcherOptions);
  const server = await started.launcher.serve({ grpcPort: 0, metricsPort: false, ...options });
  const as = (token?: string) => {
    const client = new ReflectingClient(server.grpcPort, token === undefined ? {} : { token });
    clients.push(client);
    return client;
  };
  return { ...started, server, as };
}

describe('the token', () => {
  it('is made by default, kept where only this user can read it, and gone with the server', async () => {
    const { launcher, server, as } = await serve();
    const { token, tokenFile, grpcPort } = server;
    expect(token).toMatch(/^[\w-]{32}$/);
    expect([mode(tokenFile!), mode(dirname(tokenFile!)), readFileSync(tokenFile!, 'utf8')]).toEqual(['600', '700', `${token}\n`]);
    for (const address of [`127.0.0.1:${grpcPort}`, `localhost:${grpcPort}`]) expect(findLauncher(address)).toEqual({ address: `127.0.0.1:${grpcPort}`, token });
    for (const address of [`127.0.0.2:${grpcPort}`, `[::1]:${grpcPort}`, `example.org:${grpcPort}`, `127.0.0.1:${grpcPort - 1}`, 'nonsense']) expect(findLauncher(address), address).toBeUndefined();
    expect(await as(token).call(`${SERVICE}/Health`)).toMatchObject({ healthy: true });
    await launcher.shutdown();
    expect([existsSync(tokenFile!), findLauncher(`127.0.0.1:${grpcPort}`)]).toEqual([false, undefined]);
  });

  it('is asked for at every method, and a wrong one is as good as none', async () => {
    const { server, as, launcher } = await serve();
    const right = server.token!;
    const request = { patternName: 'p', namespace: 'x', processId: 'ns:x:p' };
    await as(right).call(`${SERVICE}/LaunchPattern`, request);
    const { pid } = launcher.status('ns:x:p')!;
    for (const wrong of [right.slice(1), `${right}x`, right.toLowerCase() === right ? right.toUpperCase() : right.toLowerCase(), ' ', '*', 'x'.repeat(7000)]) await expect(as(wrong).services(), wrong).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    await expect(as().services()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const known = as(right);
    await known.services();
    for (const authorization of ['Bearer', 'bearer ', `Basic ${right}`, right]) {
      known.metadata.set('authorization', authorization);
      for (const method of ['LaunchPattern', 'ListPatterns', 'TerminatePattern', 'GetProcessStatus', 'Health']) await expect(known.call(`${SERVICE}/${method}`, request), method).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    }
    expect(launcher.list()).toMatchObject([{ processId: 'ns:x:p', pid }]);
  });

  it('stays the same over a state folder; a file that others could read, or a link, is not trusted', async () => {
    const stateDir = join(temporaryFolder(), 'state');
    const file = join(stateDir, 'token');
    const next = async () => {
      const { launcher, server } = await serve({ p: {} }, {}, { stateDir });
      await launcher.shutdown();
      return server.token;
    };
    const first = await next();
    expect([mode(stateDir), mode(file), await next()]).toEqual(['700', '600', first]);
    chmodSync(file, 0o644);
    const second = await next();
    expect([second === first, mode(file)]).toEqual([false, '600']);
    const other = join(temporaryFolder(), 'token');
    writeFileSync(other, 'somebody-else-knows-this-one\n', { mode: 0o600 });
    const linked = join(temporaryFolder(), 'linked');
    await (await start({ p: {} }, { stateDir: linked })).launcher.shutdown();
    symlinkSync(other, join(linked, 'token'));
    const { server } = await serve({ p: {} }, {}, { stateDir: linked });
    expect([server.token === 'somebody-else-knows-this-one', lstatSync(join(linked, 'token')).isFile(), readFileSync(other, 'utf8')]).toEqual([false, true, 'somebody-else-knows-this-one\n']);
  });

  it('is not left where others could read it, which is told; those who call can be given it', async () => {
    const ours = process.env['MIMAS_RUNTIME_DIR'];
    const open = (process.env['MIMAS_RUNTIME_DIR'] = temporaryFolder());
    chmodSync(open, 0o755);
    try {
      const { server, as, logs } = await serve();
      expect([server.tokenFile, readdirSync(open), findLauncher(`127.0.0.1:${server.grpcPort}`)]).toEqual([undefined, [], undefined]);
      expect(logs).toContainEqual(expect.stringMatching(/^WARNING: the token could not be left where `mimas patterns` finds it, and must be given with --token-file or MIMAS_TOKEN: .* is not a folder of this user alone/));
      expect(await as(server.token).call(`${SERVICE}/Health`)).toMatchObject({ healthy: true });
    } finally {
      process.env['MIMAS_RUNTIME_DIR'] = ours;
    }
  });

  it('a state folder that others can write is refused', async () => {
    const stateDir = temporaryFolder();
    chmodSync(stateDir, 0o777);
    expect((await failure(start({ p: {} }, { stateDir }))).message).toBe(`state folder ${stateDir} can be written by others (mode 0777)`);
  });

  it('token: false is for loopback, and warned of; a short one is refused', async () => {
    const { as, server, logs, launcher } = await serve({ p: {} }, { token: false });
    expect(await as().call(`${SERVICE}/LaunchPattern`, { patternName: 'p', namespace: 'x' })).toMatchObject({ healthy: true });
    expect([server.token, server.tokenFile, logs.filter((line) => line.startsWith('WARNING'))]).toEqual([undefined, undefined, [expect.stringMatching(/^WARNING: gRPC at 127\.0\.0\.1:\d+ needs no token: every user of this machine can start and end programs as \S+$/)]]);
    expect((await failure(launcher.serve({ host: '0.0.0.0', token: false, grpcPort: 0, metricsPort: false }))).message).toContain('0.0.0.0 can be reached by others');
    expect((await failure(launcher.serve({ token: 'fifteen letters', grpcPort: 0, metricsPort: false }))).message).toBe('token must have 16 characters or more');
  });

  it.skipIf(asStranger === undefined)('another user can neither launch, nor list, nor end, nor read the token or what is kept of it', async () => {
    const stateDir = join(temporaryFolder(), 'state');
    const { launcher, server, dir } = await serve({ p: {} }, {}, { stateDir });
    chmodSync(dir, 0o755);
    await launcher.launch({ pattern: 'p', namespace: 'x' });
    const address = `127.0.0.1:${server.grpcPort}`;
    const attack = await asStranger!(`
      const { readFileSync, readdirSync } = require('node:fs');
      const look = (work) => { try { return String(work()); } catch (error) { return error.code; } };
      const answers = {};
      for (const [who, client] of [['nobody', ${clientCode(PROTO, SERVICE, address)}], ['liar', ${clientCode(PROTO, SERVICE, address, { authorization: `Bearer ${'0'.repeat(32)}` })}]]) {
        answers[who] = await Promise.all(['LaunchPattern', 'ListPatterns', 'TerminatePattern', 'GetProcessStatus', 'Health'].map((method) => client(method, { pattern_name: 'p', namespace: 'evil', process_id: 'ns:x:p', force: true, config: { NODE_OPTIONS: '--require /tmp/evil.cjs' } })));
      }
      console.log(JSON.stringify({ uid: process.getuid(), answers, files: [
        look(() => readFileSync(${JSON.stringify(server.tokenFile)})), look(() => readdirSync(${JSON.stringify(dirname(server.tokenFile!))})),
        look(() => readFileSync(${JSON.stringify(join(stateDir, 'token'))})), look(() => readdirSync(${JSON.stringify(join(stateDir, 'processes'))})), look(() => readFileSync('/proc/${process.pid}/environ')),
      ] }));`);
    const refused = Array(5).fill('UNAUTHENTICATED');
    expect(attack).toEqual({ uid: STRANGER, answers: { nobody: refused, liar: refused }, files: Array(5).fill('EACCES') });
    expect(launcher.list()).toMatchObject([{ processId: 'ns:x:p', state: 'RUNNING' }]);
  });
});

/** One at least of each kind that makes programs load, run or trust something; also in other cases, which some programs take. */
const DANGEROUS = [
  'NODE_OPTIONS', 'NODE_PATH', 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_REPL_EXTERNAL_MODULE', 'npm_config_script_shell', 'NPM_CONFIG_PREFIX', 'TS_NODE_PROJECT', 'BUN_INSTALL', 'DENO_DIR', 'ELECTRON_RUN_AS_NODE',
  'LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'LD_DEBUG_OUTPUT', 'LD', 'DYLD_INSERT_LIBRARIES', 'GCONV_PATH', 'GLIBC_TUNABLES', 'MALLOC_TRACE', 'LOCPATH', 'HOSTALIASES', 'RES_OPTIONS', 'TMPDIR', 'TERMINFO',
  'PATH', 'Path', 'IFS', 'ENV', 'BASH_ENV', 'BASHOPTS', 'BASH_FUNC_ls%%', 'SHELLOPTS', 'SHELL', 'PS4', 'PROMPT_COMMAND', 'CDPATH', 'HOME', 'USER', 'ZDOTDIR', 'XDG_CONFIG_HOME', 'EDITOR', 'PAGER', 'LESSOPEN', 'SUDO_ASKPASS',
  'PYTHONPATH', 'PYTHONSTARTUP', 'PYTHONHOME', 'PYTHONINSPECT', 'VIRTUAL_ENV', 'PERL5OPT', 'PERL5LIB', 'PERLLIB', 'PERL5DB', 'RUBYOPT', 'RUBYLIB', 'GEM_HOME', 'BUNDLE_GEMFILE', 'LUA_INIT', 'LUA_PATH', 'PHPRC', 'PHP_INI_SCAN_DIR', 'TCLLIBPATH', 'R_PROFILE', 'AWKPATH', 'GOFLAGS', 'GODEBUG', 'RUSTC_WRAPPER', 'CARGO_HOME', 'ERL_FLAGS',
  'JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'JDK_JAVA_OPTIONS', 'JAVA_HOME', 'CLASSPATH', 'MAVEN_OPTS', 'DOTNET_STARTUP_HOOKS', 'CORECLR_PROFILER', 'COMPlus_Version',
  'GIT_SSH_COMMAND', 'GIT_EXEC_PATH', 'SSH_ASKPASS', 'DOCKER_HOST', 'KUBECONFIG', 'MAKEFLAGS', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'SSL_CERT_FILE', 'SSLKEYLOGFILE', 'http_proxy', 'HTTPS_PROXY', 'NO_PROXY', 'CURL_CA_BUNDLE', 'GTK_MODULES', 'QT_PLUGIN_PATH',
  'MIMAS_LAUNCH', 'MIMAS_CHANNEL', 'MIMAS_RUNTIME_DIR', 'a.b', 'A-B',
];
const HARMLESS = ['LOG_LEVEL', 'NODE_ENV', 'RUST_LOG', 'RUST_BACKTRACE', 'DATABASE_URL', 'PGHOST', 'GITHUB_ORG', 'QTY', 'LDAP_URL', 'PATHS', 'HOMEPAGE', 'GOAL', 'ENVIRONMENT', 'PYRAMID', 'tz', 'TZ', 'LANG', 'LC_ALL', 'MIMAS_TOKEN', 'API_KEY'];

describe('what a request may set', () => {
  it('no variable that makes programs load, run or trust something, whatever the manifest says; nothing is launched then', async () => {
    const { server, as, launcher } = await serve({ p: { config: '"*"' } });
    const client = as(server.token);
    for (const name of DANGEROUS) {
      const error = await client.call(`${SERVICE}/LaunchPattern`, { patternName: 'p', namespace: 'x', config: [{ key: 'FINE', value: '1' }, { key: name, value: '--require /tmp/evil.cjs' }] }).then(() => undefined, (thrown: { code: number; details: string; metadata: { get(name: string): string[] } }) => thrown);
      expect([name, error?.code, error?.metadata.get('mimas-error-code'), error?.details]).toEqual([name, status.PERMISSION_DENIED, ['VARIABLE_REFUSED'], `config: ${JSON.stringify(name)} is never taken from a request: it makes programs load, run or trust something else`]);
    }
    expect([launcher.list(), launcher.exportJsonMetrics().process_starts_total]).toEqual([[], {}]);
  });

  it('names that only look like it are taken', async () => {
    const { launcher, output } = await start({ p: { config: '"*"', script: `#!/bin/sh\n${HARMLESS.map((name) => `echo "${name}=$${name}"`).join('\n')}\necho end\nexec sleep 60\n` } });
    await launcher.launch({ pattern: 'p', namespace: 'x', config: Object.fromEntries(HARMLESS.map((name) => [name, `given-${name}`])) });
    await until(() => output.includes('ns:x:p| end'));
    expect(output.slice(0, -1)).toEqual(HARMLESS.map((name) => `ns:x:p| ${name}=given-${name}`));
  });

  it('only what the manifest names: under environment, under config, or by the beginning of a name', async () => {
    const manifest = 'name: p\nversion: 1.0.0\nexecutable: ./run\nenvironment: {LOG_LEVEL: info, PATH: /usr/bin:/bin}\nconfig: [REGION, "APP_*"]\n';
    const { launcher, dir } = await start({ p: { manifest } });
    await launcher.launch({ pattern: 'p', namespace: 'x', config: { LOG_LEVEL: 'debug', REGION: 'eu', APP_: '0', APP_COLOUR: 'blue' } });
    for (const name of ['REGION_', 'REGIO', 'region', 'AP', 'APP', 'OTHER', '__proto__x', 'toString', 'constructor']) {
      const error = await failure(launcher.launch({ pattern: 'p', namespace: 'y', config: { [name]: 'x' } }));
      expect([error.code, error.message, error.suggestion]).toEqual(['VARIABLE_REFUSED', `config: "${name}" may not be set by requests for p`, `Write \`config: [${name}]\` in ${join(dir, 'p/manifest.yaml')} if it may`]);
    }
    // Its manifest sets it, and that is no permission to change it.
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'y', config: { PATH: '/tmp' } }))).code).toBe('VARIABLE_REFUSED');
    for (const name of ['PATTERN_NAME', 'NAMESPACE', 'SESSION_ID', 'GRPC_PORT', 'HEALTH_PORT', 'PROCESS_ID']) expect((await failure(launcher.launch({ pattern: 'p', namespace: 'y', config: { [name]: 'x' } }))).message).toBe(`config: "${name}" is set by the launcher`);
    // Also of a process that runs, whose environment would not change.
    expect((await failure(launcher.launch({ pattern: 'p', namespace: 'x', config: { OTHER: 'x' } }))).code).toBe('VARIABLE_REFUSED');
    expect(launcher.list()).toHaveLength(1);
  });

  it('a manifest that was tightened counts at the next start, and for what a successor would adopt', async () => {
    const dir = temporaryFolder();
    const script = '#!/bin/sh\nexec sleep 60\n';
    addPattern(dir, 'p', { script });
    const stateDir = join(temporaryFolder(), 'state');
    const { program, info } = await launcherProgram(dir, stateDir, 'adopt');
    await crash(program);
    addPattern(dir, 'p', { script, config: 'OTHER' });
    const { launcher, logs } = await startOver(dir, { stateDir, leftovers: 'adopt' });
    expect(logs).toContainEqual('Not adopted: ns:x:p: config: "SECRET" may not be set by requests for p');
    expect([launcher.list(), existsSync(`/proc/${info.pid}/cwd`)]).toEqual([[], false]);
    await launcher.launch({ pattern: 'p', namespace: 'y', config: { OTHER: 'x' } });
    addPattern(dir, 'p', { script });
    launcher.reload();
    kill(launcher.status('ns:y:p')!.pid);
    await until(() => launcher.status('ns:y:p')?.state === 'FAILED');
    expect(launcher.status('ns:y:p')!.lastError).toContain('config: "OTHER" may not be set by requests for p');
  });
});

describe('mimas patterns', () => {
  it('shows the token to the launcher of this user, never to who has taken its port', async () => {
    const dir = temporaryFolder();
    addPattern(dir, 'p');
    const env = { ...process.env };
    const launch = startCommand(['launch', '--patterns-dir', dir, '--grpc-port', '0', '--metrics-port', '0'], { cwd: dir, env });
    const [, port] = /:(\d+), metrics/.exec(await launch.line(/^Launcher service started on/))!;
    const [, token, file] = /^token (\S{32}), also in (\S+)$/.exec(await launch.line(/^token /))!;
    expect([mode(file!), readFileSync(file!, 'utf8')]).toEqual(['600', `${token}\n`]);
    const patterns = async () => {
      const child = spawn(process.execPath, [bin, 'patterns', 'list', '--json', '--address', `localhost:${port}`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let printed = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)));
      const [code] = (await once(child, 'close')) as [number];
      return { code, printed };
    };
    expect(await patterns()).toEqual({ code: 0, printed: '{"patterns":[]}\n' });
    launch.child.kill('SIGKILL');
    await once(launch.child, 'exit');
    let heard = Buffer.alloc(0);
    const thief = createServer((socket) => socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      // HTTP/2: its settings, and a refusal of whatever comes.
      if (heard.length === chunk.length) socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
      else socket.destroy();
    }).on('error', () => {}));
    await new Promise<void>((resolve) => thief.listen(Number(port), '127.0.0.1', resolve));
    expect((await patterns()).code).toBe(4);
    expect((thief.address() as AddressInfo).port).toBe(Number(port));
    thief.close();
    expect([heard.length > 0, heard.includes(token!)]).toEqual([true, false]);
    // And the next launcher clears away what that one has left.
    expect(existsSync(file!)).toBe(true);
    await serve();
    expect([existsSync(file!), readdirSync(dirname(file!)).some((name) => name.includes(token!))]).toEqual([false, false]);
  });
});
