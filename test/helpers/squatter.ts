// Another program that answers 200 at a port: at once, or when it is told to. It goes on trying while the port is taken.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { afterEach } from 'vitest';

const PROGRAM = `
const [port, host, protocol] = process.argv.slice(1);
const ready = () => console.log('ready');
process.stdin.once('data', () => {
  if (protocol === 'udp') return require('node:dgram').createSocket('udp4').bind(Number(port), host, ready);
  const server = require('node:http').createServer((_, response) => response.end('well'));
  server.on('error', () => setTimeout(() => server.listen(Number(port), host), 5));
  server.listen(Number(port), host).on('listening', ready);
});`;

const started: ChildProcessByStdio<Writable, Readable, null>[] = [];
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

export function startSquatter(port: number, { host = '127.0.0.1', protocol = 'tcp' }: { host?: string; protocol?: string } = {}) {
  const child = spawn(process.execPath, ['-e', PROGRAM, String(port), host, protocol], { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const ready = once(child.stdout, 'data');
  return {
    pid: child.pid!,
    /** From now on it tries to get the port; resolves when it has it. */
    async listen() {
      child.stdin.write('go\n');
      await ready;
    },
    async end() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

export async function squat(port: number, options?: Parameters<typeof startSquatter>[1]) {
  const squatter = startSquatter(port, options);
  await squatter.listen();
  return squatter;
}
