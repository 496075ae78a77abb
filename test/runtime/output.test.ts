// What processes print: lines whole up to their limit, little of it in memory however slowly it is read, and no program kept alive by
// those whom a process left behind.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { CUT_MARK, Lines, LONGEST_LINE } from '../../src/runtime/lines.js';
import { Output } from '../../src/runtime/output.js';
import { bin } from '../helpers/command.js';
import { fixture } from '../manager/helpers.js';

const path = (name: string) => fileURLToPath(fixture(name));

function linesOf(chunks: readonly Buffer[]): string[] {
  const told: string[] = [];
  const lines = new Lines((line) => told.push(line));
  for (const chunk of chunks) lines.add(chunk);
  lines.end();
  return told;
}

describe('lines', () => {
  it('are the same however the text is cut into chunks, within characters as well', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'é', '😀', '\n', '\r\n', 'bc\n', '\r'), { maxLength: 40 }), fc.array(fc.nat(60), { maxLength: 20 }), (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const expected = bytes.toString().split('\n');
        if (expected.at(-1) === '') expected.pop();
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(linesOf(chunks)).toEqual(expected.map((line) => line.replace(/\r$/, '')));
      }),
    );
  });

  it('of 1 MB are whole, of more are cut with a mark, and the next one is whole again', () => {
    const text = `${'a'.repeat(LONGEST_LINE)}\r\n${'b'.repeat(LONGEST_LINE + 5_000)}\nnext\n${'c'.repeat(3 * LONGEST_LINE)}`;
    const chunks = text.match(/[^]{1,65536}/g)!.map((part) => Buffer.from(part));
    expect(linesOf(chunks).map((line) => [line.length, line.at(0), line.endsWith(CUT_MARK)])).toEqual([
      [LONGEST_LINE, 'a', false],
      [LONGEST_LINE + CUT_MARK.length, 'b', true],
      [4, 'n', false],
      [LONGEST_LINE + CUT_MARK.length, 'c', true],
    ]);
  });

  it('that are kept are the last, and no more than some hundred KB but for the last of them', async () => {
    const output = new Output(() => {});
    const from = new PassThrough();
    output.tap(from, 'stdout');
    for (let i = 0; i < 1_000; i++) from.write(`${i} ${'x'.repeat(10_000)}\n`);
    from.end(`${'y'.repeat(LONGEST_LINE)}\n`);
    await output.ended(60_000);
    expect(output.lines()).toEqual(['y'.repeat(LONGEST_LINE)]);
  });
});

const started: ChildProcessByStdio<null, Readable, Readable>[] = [];
const daemons: number[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const pid of daemons.splice(0)) process.kill(pid, 'SIGKILL');
});

/** A program of which nobody reads stdout yet. */
function program(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const told = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const lines: string[] = [];
  return {
    exited,
    async next(): Promise<Record<string, unknown>> {
      const { done, value } = await told.next();
      if (done) throw new Error('it ended');
      return JSON.parse(value) as Record<string, unknown>;
    },
    read() {
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    },
    lines,
    closed: once(child, 'close'),
  };
}

const LINES = 32 * 1024;
const MB = 1024 * 1024;
const whole = (lines: readonly string[]) => lines.filter((line) => /^line \d+ x+$/.test(line) && line.length === 1023);
const leftOut = (lines: readonly string[]) => lines.reduce((sum, line) => sum + Number(/^… (\d+) lines were left out: they were read too slowly$/.exec(line)?.[1] ?? 0), 0);

describe.each(['worker', 'child'])('%s: output that nobody reads', (isolation) => {
  it.each(['inherit', 'print'])('(%s) makes the process wait, and nothing is lost when it is read', async (how) => {
    const host = program([path('output-host.mjs'), isolation, 'wait', how, String(LINES)]);
    // A second of looks at it.
    for (let i = 0; i < 20; i++) {
      const { waits, pong } = await host.next();
      // It has not printed all.
      expect(pong).toBe('pong');
      expect(waits).toBeLessThan(2 * MB);
    }
    host.read();
    await host.closed;
    expect(whole(host.lines).length).toBe(LINES);
    expect(host.lines.length).toBe(LINES);
    expect(await host.exited).toEqual([0, null]);
  });

  it.each(['inherit', 'print'])('(%s) is left out and counted if that was asked for', async (how) => {
    const host = program([path('output-host.mjs'), isolation, 'drop', how, String(LINES)]);
    for (;;) {
      const { waits, printed } = await host.next();
      if (printed === LINES) break;
      expect(waits).toBeLessThan(2 * MB);
    }
    host.read();
    await host.closed;
    expect(leftOut(host.lines)).toBeGreaterThan(LINES / 2);
    expect(whole(host.lines).length + leftOut(host.lines)).toBe(LINES);
    expect(await host.exited).toEqual([0, null]);
  });
});

describe('a daemon that a process left behind, and that holds its output open,', () => {
  it('does not keep a program alive behind its shutdown', async () => {
    const host = program([
      '--input-type=module', '-e',
      `import { createProcessManager } from ${JSON.stringify(import.meta.resolve('mimas'))};
       const pm = createProcessManager({ isolation: 'child', output: 'capture' });
       const printer = await pm.spawn(new URL(${JSON.stringify(fixture('printer.js').href)}));
       const daemon = await printer.daemon();
       await pm.shutdown();
       console.error(JSON.stringify({ daemon }));`,
    ]);
    daemons.push((await host.next())['daemon'] as number);
    host.read();
    expect(await host.exited).toEqual([0, null]);
  });

  it('does not keep mimas run alive', async () => {
    const host = program([bin, 'run', path('daemonic.js'), '--isolation', 'child', '--restart', 'temporary', '--json']);
    host.read();
    expect((await host.exited)[0]).toBe(0);
    const { line } = host.lines.map((one) => JSON.parse(one) as { event: string; line?: string }).find(({ event }) => event === 'log')!;
    daemons.push(Number(line));
  });
});
