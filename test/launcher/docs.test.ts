// What the README and docs/launcher.md say of the launcher, tried: every command, every program, every table.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LAUNCHER_ERROR_CODES, readManifest } from 'mimas/launcher';
import { LAUNCHER_OPTIONS } from '../../dist/launcher/options.js';
import { root, temporaryProject } from '../helpers/compile.js';
import { addPattern, HEALTH, nodeServer, temporaryFolder, until } from './helpers.js';

const page = readFileSync(join(root, 'docs/launcher.md'), 'utf8');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const block = (text: string, mark: string): string => new RegExp(`\`\`\`${mark} launcher\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!;
/** As the shell would find it after `npm install mimas`. */
const MIMAS = `"${process.execPath}" "${join(root, 'dist/cli/main.js')}"`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

it('README: the quick start does what it shows, pasted into an empty folder', { timeout: 60_000 }, async () => {
  const cwd = temporaryProject();
  // The same ports everywhere, but free ones.
  const ports = new Map<string, number>();
  for (const port of ['8080', '9090', '9092']) ports.set(port, await freePort());
  const adapted = (text: string) => text.replaceAll('npx mimas', MIMAS).replace(/8080|9090|9092/g, (port) => String(ports.get(port)));
  const script = adapted(block(readme, 'sh').replace('npx mimas launch', 'exec npx mimas launch')).trim();
  const service = spawn('sh', ['-ec', `${script} --metrics-port ${ports.get('9092')}`], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let printed = '';
    service.stdout.on('data', (chunk: Buffer) => (printed += String(chunk)));
    await until(() => printed.includes('1 patterns: hello-pattern'), 'the launcher is up');
    const shown = block(readme, 'text').split(/^\$ /m).slice(1).map((one) => [one.slice(0, one.indexOf('\n')), one.slice(one.indexOf('\n') + 1)] as const);
    expect(shown.length).toBe(6);
    const anyPort = (text: string) => text.replace(/localhost:\d+/g, 'localhost:<port>');
    for (const [command, output] of shown) {
      // The launcher is not where it is by default.
      const line = adapted(command).replace(/patterns (launch|status|stop)/, `patterns $1 --address 127.0.0.1:${ports.get('8080')}`);
      const { stdout, stderr } = spawnSync('sh', ['-c', line], { cwd, encoding: 'utf8' });
      expect([command, anyPort(stdout), stderr]).toEqual([command, anyPort(output), '']);
    }
  } finally {
    service.kill('SIGINT');
  }
  expect(await once(service, 'exit')).toEqual([0, null]);
});

it.each([['README.md', readme, 'ns:my-app:hello-pattern true\n'], ['docs/launcher.md', page, 'ns:my-app:hello-pattern true true\n']])('the program in %s runs', { timeout: 30_000 }, (_file, text, output) => {
  const cwd = temporaryProject();
  mkdirSync(join(cwd, 'patterns'));
  addPattern(join(cwd, 'patterns'), 'hello-pattern', { script: nodeServer().replaceAll("require('node:http')", "process.getBuiltinModule('node:http')"), health: HEALTH });
  writeFileSync(join(cwd, 'main.ts'), block(text, 'ts'));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'mimas/register', 'main.ts'], { cwd, encoding: 'utf8', timeout: 25_000 });
  expect([status, stdout], stderr).toEqual([0, output]);
});

describe('docs/launcher.md', () => {
  it('shows commands with options that there are', () => {
    const commands = /```sh\n(mimas [\s\S]*?)```/.exec(page)![1]!.replaceAll('\\\n', ' ').trim().split('\n');
    expect(commands).toHaveLength(5);
    for (const command of commands) {
      const words = command.split(/\s+/).slice(1);
      const name = words[0] === 'patterns' ? words.slice(0, 2) : words.slice(0, 1);
      const { stdout } = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...name, '--help'], { encoding: 'utf8' });
      for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(`${option} `);
    }
  });

  it('names every option of createLauncher, and no other', () => {
    const named = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| [^|]* \| [^|]*\|$/gm)].flatMap((row) => [...row[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!)).filter((name) => !['none', 'namespace', 'session'].includes(name));
    expect(named.toSorted()).toEqual(LAUNCHER_OPTIONS.toSorted());
  });

  it('names every error code, and no other', () => {
    const named = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]!);
    expect(named.toSorted()).toEqual(Object.keys(LAUNCHER_ERROR_CODES).toSorted());
  });

  it('has a manifest with every key that is valid', () => {
    const text = /```yaml\n([\s\S]*?)```/.exec(page)![1]!;
    const folder = addPattern(temporaryFolder(), 'p', { manifest: text.replace(/executable: \S+/, 'executable: ./run') });
    expect(readManifest(join(folder, 'manifest.yaml'))).toMatchObject({ manifest: { name: 'hello-pattern', backendSlots: [{ name: 'store' }] } });
  });
});
