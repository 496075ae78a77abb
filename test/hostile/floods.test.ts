// Floods from outside against a served process that may open 600 files: whoever has the token gets in and is answered meanwhile.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcessManager, type ConnectionHandle } from 'mimas';
import { folder, SOCKETS, tlsOf, TOKEN, type SocketKind } from '../contract/links.js';

interface Echo { add(a: number, b: number): Promise<number> }

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const OPEN_FILES = 600;
const LONGEST_WAIT_MS = 2_000;
const NEWCOMERS = 4;

const pm = createProcessManager();
let served: ChildProcess;
let addresses: Record<SocketKind, string>;

beforeAll(async () => {
  tlsOf();
  const listen = SOCKETS.map((kind) => (kind === 'unix' ? `unix:${join(folder, 'flooded.sock')}` : `${kind}://127.0.0.1:0`));
  const args = [fixture('hostile/serve-all.mjs'), fixture('processes/echo-and-beat.process.ts'), TOKEN, join(folder, 'key.pem'), join(folder, 'cert.pem'), ...listen];
  served = spawn('/bin/sh', ['-c', `ulimit -n ${OPEN_FILES}; exec "$0" "$@"`, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(served.stdout!), 'line')) as [string];
  const found = JSON.parse(line) as string[];
  addresses = Object.fromEntries(SOCKETS.map((kind, index) => [kind, found[index]!])) as Record<SocketKind, string>;
});
afterAll(async () => {
  served?.kill('SIGKILL');
  await pm.shutdown();
});

/** Comes, asks and goes. */
async function visit(kind: SocketKind, index: number): Promise<number> {
  const echo = await enter(kind);
  const sum = await echo.add(index, 1);
  await leave(echo);
  return sum;
}
const enter = (kind: SocketKind) => pm.connect<Echo>(addresses[kind], { token: TOKEN, ...(kind === 'tls' || kind === 'wss' ? { tls: { ca: tlsOf().cert } } : {}) });
const leave = (echo: { readonly $handle: object }) => (echo.$handle as ConnectionHandle).close();
const descriptors = () => readdirSync(`/proc/${served.pid}/fd`).length;

/** ms that a process could have run and had no processor, which is the machine's doing, not the flood's. */
const starved = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;

/** Everything it was asked is right; how long it took at most, without what the machine had no time for. */
async function longestWait(asked: number, ask: (index: number) => Promise<number>): Promise<number> {
  let longest = 0;
  for (let index = 0; index < asked; index++) {
    const [begun, ...before] = [performance.now(), starved(served.pid!), starved(process.pid)];
    expect(await ask(index)).toBe(index + 1);
    const waited = performance.now() - begun;
    // The longer of both: they may have waited for a processor at the same time.
    longest = Math.max(longest, waited - Math.max(starved(served.pid!) - before[0]!, starved(process.pid) - before[1]!));
  }
  return longest;
}

const FLOODS: Record<SocketKind, readonly string[]> = {
  unix: ['silent', 'connect-and-close', 'wrong-token', 'endless-token'],
  tcp: ['silent', 'connect-and-close', 'wrong-token', 'endless-token'],
  tls: ['silent', 'connect-and-close', 'wrong-token', 'half-tls'],
  ws: ['silent', 'connect-and-close', 'wrong-token', 'slow-headers', 'no-upgrade'],
  wss: ['connect-and-close', 'wrong-token', 'half-tls', 'slow-headers'],
};

describe.each(SOCKETS)('a process that is served over %s', (kind) => {
  it.each(FLOODS[kind])('answers callers, old and new, during a flood: %s', async (flood) => {
    const old = await enter(kind);
    const before = descriptors();
    const flooder = spawn(process.execPath, [fixture('hostile/flood.mjs'), kind, flood, addresses[kind]], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(flooder, 'exit');
    try {
      // More than may be in their handshake at once.
      for await (const line of createInterface(flooder.stdout)) if (Number(line) >= 200) break;
      flooder.stdout.resume();
      const newcomers = longestWait(NEWCOMERS, (index) => visit(kind, index));
      const regulars = longestWait(50, (index) => old.add(index, 1));
      expect(Math.max(...(await Promise.all([newcomers, regulars])))).toBeLessThan(LONGEST_WAIT_MS);
      expect(descriptors()).toBeLessThan(OPEN_FILES);
    } finally {
      flooder.kill('SIGKILL');
    }
    await gone;
    await expect.poll(descriptors, { timeout: 15_000 }).toBeLessThanOrEqual(before);
    await leave(old);
  });
});
