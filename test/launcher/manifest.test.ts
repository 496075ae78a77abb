// Manifests as people write them, right and wrong.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { discoverPatterns, readManifest } from 'mimas/launcher';
import { PatternRegistry } from '../../dist/launcher/registry.js';
import { addPattern, failure, start, temporaryFolder, until } from './helpers.js';

const GOOD = `name: hello-pattern
version: 1.0.0
executable: ./run
isolation_level: namespace

healthcheck:
  port: 9090
  path: /health
  interval: 30s
  timeout: 5s
  failure_threshold: 3

resources:
  cpu_limit: 1.0
  memory_limit: 256Mi

environment:
  LOG_LEVEL: info
`;

function read(text: string, { executable = true }: { executable?: boolean } = {}) {
  const folder = addPattern(temporaryFolder(), 'p', { manifest: text });
  if (!executable) chmodSync(join(folder, 'run'), 0o644);
  const result = readManifest(join(folder, 'manifest.yaml'));
  return { folder, manifest: 'manifest' in result ? result.manifest : undefined, problems: 'problems' in result ? result.problems : [] };
}

describe('readManifest', () => {
  it('reads the manifest of the quick start', () => {
    const { manifest, problems, folder } = read(GOOD);
    expect(problems).toEqual([]);
    expect(manifest).toMatchObject({
      name: 'hello-pattern', version: '1.0.0', executable: join(folder, 'run'), isolationLevel: 'namespace',
      healthcheck: { type: 'http', port: 9090, path: '/health', times: { interval: 30_000, timeout: 5000, failureThreshold: 3, successThreshold: 1, startupTimeout: 30_000 } },
      resources: { cpuLimit: 1, memoryLimit: 256 * 1024 ** 2, enforce: 'best-effort' },
      environment: { LOG_LEVEL: 'info' },
    });
  });

  it('a check over TLS, with its own options', () => {
    const { manifest, folder } = read(GOOD.replace('  port: 9090', '  type: https\n  headers: {X-Probe: 1}\n  ca: ca.pem\n  server_name: shop.test'));
    expect(manifest?.healthcheck).toMatchObject({ type: 'https', path: '/health', headers: { 'X-Probe': '1' }, tls: { verify: true, ca: join(folder, 'ca.pem'), serverName: 'shop.test' } });
  });

  it('keeps variables and versions as they were written', () => {
    const { manifest } = read('name: p\nversion: 1.10\nexecutable: ./run\nenvironment: {A: 1.0, B: yes, C: true, D: 0x10, E: "", F: ~}\n');
    expect([manifest?.version, manifest?.environment]).toEqual(['1.10', { A: '1.0', B: 'yes', C: 'true', D: '0x10', E: '', F: '' }]);
  });

  it.each<[fault: string, text: string, line: number, message: string | RegExp]>([
    ['no name', GOOD.replace('name: hello-pattern\n', ''), 1, 'validate manifest: name is required'],
    ['no version', GOOD.replace('version: 1.0.0\n', ''), 1, 'validate manifest: version is required'],
    ['no executable', GOOD.replace('executable: ./run\n', ''), 1, 'validate manifest: executable is required'],
    ['an unknown level', GOOD.replace('namespace', 'galaxy'), 4, 'validate manifest: invalid isolation_level: galaxy (must be none, namespace, or session)'],
    ['no such executable', GOOD.replace('./run', './walk'), 3, /^validate manifest: executable not found: \/.*\/p\/walk: .*ENOENT/],
    ['a folder as executable', GOOD.replace('./run', './'), 3, /^validate manifest: executable not found: \/.*\/p: is not a file/],
    ['port 0', GOOD.replace('9090', '0'), 7, 'validate manifest: healthcheck.port must be between 1 and 65535, got: 0'],
    ['port 65536', GOOD.replace('9090', '65536'), 7, 'validate manifest: healthcheck.port must be between 1 and 65535, got: 65536'],
    ['a port that is none', GOOD.replace('9090', 'http'), 7, 'validate manifest: healthcheck.port must be between 1 and 65535, got: http'],
    ['no path', GOOD.replace('  path: /health\n', ''), 6, 'validate manifest: healthcheck.path is required'],
    ['an unknown check', GOOD.replace('  port: 9090', '  type: ping'), 7, 'validate manifest: healthcheck.type must be http, https, tcp or exec, got: ping'],
    ['an option of another check', GOOD.replace('  port: 9090', '  verify: false'), 7, 'validate manifest: healthcheck.verify belongs to type https, not http'],
    ['headers of a check without any', GOOD.replace('  port: 9090', '  type: tcp\n  headers: {a: b}'), 8, 'validate manifest: healthcheck.headers belongs to type http or https, not tcp'],
    ['a verification that is none', GOOD.replace('  port: 9090', '  type: https\n  verify: maybe'), 8, 'validate manifest: healthcheck.verify must be true or false, got: maybe'],
    ['exec without a command', GOOD.replace('  port: 9090', '  type: exec'), 6, 'validate manifest: healthcheck.command is required: a list of the program and its arguments'],
    ['a bad duration', GOOD.replace('30s', 'soon'), 9, /^validate manifest: healthcheck.interval: "soon" is not a duration/],
    ['a bad threshold', GOOD.replace('failure_threshold: 3', 'failure_threshold: 0'), 11, /^validate manifest: healthcheck.failure_threshold: 0 is not a whole number of at least 1/],
    ['a bad core count', GOOD.replace('cpu_limit: 1.0', 'cpu_limit: -1'), 14, 'validate manifest: resources.cpu_limit must be a positive number of cores, got: -1'],
    ['a bad size', GOOD.replace('256Mi', 'lots'), 15, 'validate manifest: resources.memory_limit must be a size such as 256Mi, got: lots'],
    ['a bad enforcement', GOOD.replace('  memory_limit: 256Mi', '  enforce: maybe'), 15, 'validate manifest: resources.enforce must be strict or best-effort, got: maybe'],
    ['a nested variable', GOOD.replace('LOG_LEVEL: info', 'LOG: {a: 1}'), 18, 'validate manifest: environment.LOG must be a text'],
    ['an unknown key', GOOD.replace('healthcheck:', 'healthchek:'), 6, "validate manifest: unknown key 'healthchek'; did you mean 'healthcheck'?"],
    ['an unknown key further in', GOOD.replace('timeout:', 'timeuot:'), 10, "validate manifest: unknown key 'healthcheck.timeuot'; did you mean 'timeout'?"],
    ['executable and process', `${GOOD}process: ./run\n`, 19, 'validate manifest: executable and process exclude each other'],
    ['a variable that cannot be one', GOOD.replace('LOG_LEVEL', '"A=B"'), 18, 'validate manifest: environment: "A=B" cannot be an environment variable'],
    ['a variable of a loader for requests', `${GOOD}config: [REGION, LD_PRELOAD]\n`, 19, 'validate manifest: config: LD_PRELOAD is never taken from a request: it makes programs load, run or trust something else; write it under environment'],
    ['requests may set what is no name', `${GOOD}config: [A*B]\n`, 19, 'validate manifest: config: "A*B" is neither the name of a variable nor the beginning of names with a star'],
    ['requests may set no list', `${GOOD}config: {A: 1}\n`, 19, 'validate manifest: config must be a list of texts'],
    ['a slot that is required a little', `${GOOD}backend_slots: [{name: a, type: b, required: "yes"}]\n`, 19, 'validate manifest: backend_slots[0].required must be true or false, got: yes'],
    ['a core count that no kernel keeps', GOOD.replace('cpu_limit: 1.0', 'cpu_limit: 0.0005'), 14, 'validate manifest: resources.cpu_limit must be at least 0.001 cores, got: 0.0005'],
    ['a blank name', GOOD.replace('hello-pattern', '" "'), 1, 'validate manifest: name is required'],
    ['a fault behind an alias', GOOD.replace('port: 9090', 'port: &p 0').replace('version: 1.0.0', 'version: 1.0.0').replace('LOG_LEVEL: info', 'LOG_LEVEL: *p'), 7, 'validate manifest: healthcheck.port must be between 1 and 65535, got: 0'],
    ['an alias of nothing', GOOD.replace('1.0.0', '*nothing'), 2, 'parse manifest: *nothing stands for nothing'],
    ['an alias of itself', GOOD.replace('LOG_LEVEL: info', 'LOG_LEVEL: &a [*a]'), 18, 'parse manifest: *a stands for itself'],
    ['two documents', `${GOOD}---\n${GOOD}`, 19, 'parse manifest: a manifest is one document, this file holds several'],
    ['no YAML', 'name: [', 1, /^parse manifest: /],
    ['a list', '- a\n', 1, 'parse manifest: a manifest is a map of keys and values'],
    ['nothing', '', 1, 'parse manifest: a manifest is a map of keys and values'],
  ])('22. %s is told with the documented text, the file and the line', (_fault, text, line, message) => {
    const { problems, folder } = read(text);
    const [first] = problems;
    expect(problems.length).toBeGreaterThan(0);
    if (typeof message === 'string') expect(first?.message).toBe(message);
    else expect(first?.message).toMatch(message);
    expect([first?.file, first?.line]).toEqual([join(folder, 'manifest.yaml'), line]);
  });

  it('22. a file without the x bit is told with its mode', () => {
    const { problems, folder } = read(GOOD, { executable: false });
    expect(problems.map(({ code, line, message }) => [code, line, message])).toEqual([['EXECUTABLE_NOT_RUNNABLE', 3, `validate manifest: executable is not executable: ${folder}/run (mode: 0644)`]]);
  });

  it('tells all faults of a manifest at once, in the order of the checks', () => {
    const { problems } = read('isolation_level: x\n');
    expect(problems.map(({ message }) => message.replace('validate manifest: ', ''))).toEqual([
      'name is required', 'version is required', 'executable is required', 'invalid isolation_level: x (must be none, namespace, or session)',
    ]);
  });
});

describe('discovery', () => {
  it('22. a bad manifest does not hide the others, and is told', async () => {
    const { launcher, logs } = await start({ a: {}, bad: { manifest: 'name: bad\n' }, c: {} });
    expect(launcher.registry.list().map(({ name }) => name)).toEqual(['a', 'c']);
    expect(logs.filter((line) => line.includes('bad/manifest.yaml:1: validate manifest: version is required'))).toHaveLength(1);
    expect(await failure(launcher.launch({ pattern: 'bad', namespace: 'x' }))).toMatchObject({ code: 'INVALID_MANIFEST', message: expect.stringContaining('bad/manifest.yaml:1: validate manifest: version is required') });
    expect((await failure(launcher.launch({ pattern: 'none', namespace: 'x' }))).code).toBe('PATTERN_NOT_FOUND');
  });

  it('passes over folders without a manifest, and files', () => {
    const dir = temporaryFolder();
    addPattern(dir, 'a');
    mkdirSync(join(dir, 'empty'));
    writeFileSync(join(dir, 'readme.txt'), '');
    const found = discoverPatterns(dir);
    expect([[...found.patterns.keys()], found.skipped, found.problems]).toEqual([['a'], ['empty'], []]);
  });

  it('a second pattern of a name is told, the first one stays', () => {
    const dir = temporaryFolder();
    addPattern(dir, 'a');
    addPattern(dir, 'b', { manifest: 'name: a\nversion: 2.0.0\nexecutable: ./run\n' });
    const { patterns, problems } = discoverPatterns(dir);
    expect(patterns.get('a')?.version).toBe('1.0.0');
    expect(problems[0]?.message).toBe(`validate manifest: duplicate pattern name: a (also in ${dir}/a/manifest.yaml)`);
  });

  it('says so when the directory is not there, or has nothing in it', () => {
    const dir = temporaryFolder();
    expect(() => discoverPatterns(join(dir, 'no'))).toThrow(`patterns directory not found: ${dir}/no`);
    expect(() => discoverPatterns(dir)).toThrow(`no patterns discovered in directory: ${dir}`);
  });

  it('a reload that fails leaves the old set; one that works replaces it', () => {
    const dir = temporaryFolder();
    addPattern(dir, 'a');
    const registry = new PatternRegistry(dir);
    rmSync(join(dir, 'a'), { recursive: true });
    expect(() => registry.reload()).toThrow('no patterns discovered');
    expect([registry.count, registry.get('a').name]).toEqual([1, 'a']);
    addPattern(dir, 'b');
    registry.reload();
    expect(registry.list().map(({ name }) => name)).toEqual(['b']);
  });

  it('aliases mean what they stand for, whole sections included', () => {
    const { manifest } = read('name: &n p\nversion: *n\nexecutable: ./run\nenvironment: &e {A: "1"}\nhealthcheck: {path: /h, port: 81}\n');
    expect(manifest).toMatchObject({ name: 'p', version: 'p', environment: { A: '1' }, healthcheck: { port: 81 } });
  });

  it('watch mode takes up what comes, changes, is replaced and goes', async () => {
    const { launcher, dir, logs } = await start({ a: {} }, { watch: true });
    const version = (name: string) => launcher.registry.peek(name)?.version;
    addPattern(dir, 'later');
    await until(() => version('later') === '1.0.0', 'a new pattern is known');
    expect((await launcher.launch({ pattern: 'later', namespace: 'x' })).state).toBe('RUNNING');
    const text = (v: string, executable = './run') => `name: later\nversion: ${v}\nexecutable: ${executable}\n`;
    writeFileSync(join(dir, 'later/manifest.yaml'), text('2'));
    await until(() => version('later') === '2', 'a change is known');
    writeFileSync(join(dir, 'later/.manifest.swp'), text('3'));
    renameSync(join(dir, 'later/.manifest.swp'), join(dir, 'later/manifest.yaml'));
    await until(() => version('later') === '3', 'a manifest that an editor put in the place of the old one is known');
    writeFileSync(join(dir, 'later/manifest.yaml'), text('4', './built'));
    await until(() => launcher.registry.problems.length === 1, 'a bad one is told');
    writeFileSync(join(dir, 'later/built'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    await until(() => version('later') === '4', 'its executable was built');
    renameSync(join(dir, 'later'), join(temporaryFolder(), 'old'));
    addPattern(dir, 'later', { manifest: text('6') });
    await until(() => version('later') === '6', 'a folder in the place of the old one is known');
    writeFileSync(join(dir, 'later/manifest.yaml'), text('7'));
    await until(() => version('later') === '7', 'and watched');
    rmSync(join(dir, 'later'), { recursive: true });
    await until(() => launcher.registry.peek('later') === undefined, 'one that is gone is known');
    rmSync(join(dir, 'a/manifest.yaml'));
    await until(() => logs.some((line) => line.startsWith('Reload failed, the old patterns stay: no patterns discovered')), 'nothing is left');
    expect(version('a')).toBe('1.0.0');
  });

  it('watch mode is not moved by what patterns write beside their manifest, nor kept from reading by it', async () => {
    const { launcher, dir, logs } = await start({ a: { script: '#!/bin/sh\nwhile :; do echo x >> data; mkdir -p sub; touch sub/manifest; sleep 0.02; done\n' } }, { watch: true });
    await launcher.launch({ pattern: 'a', namespace: 'x' });
    await until(() => existsSync(join(dir, 'a/sub/manifest')));
    // A change is taken up 100 ms after it was told: 15 rounds of writing take 300 ms at least.
    const written = () => statSync(join(dir, 'a/data')).size;
    const before = written();
    await until(() => written() >= before + 2 * 15);
    expect(logs.filter((line) => line.startsWith('Loaded'))).toEqual([]);
    addPattern(dir, 'later');
    await until(() => launcher.registry.peek('later') !== undefined);
  });

  it('an unknown pattern is told with a suggestion', async () => {
    const { launcher } = await start({ 'hello-pattern': {} });
    const error = await failure(launcher.launch({ pattern: 'helo-pattern', namespace: 'x' }));
    expect([error.code, error.message, error.suggestion]).toEqual(['PATTERN_NOT_FOUND', 'pattern not found: helo-pattern', "Did you mean 'hello-pattern'?"]);
  });
});
