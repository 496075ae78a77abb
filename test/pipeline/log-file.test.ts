// One log on disk: rotation, pruning, and its last lines.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogFile } from '../../src/pipeline/log-file.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** 200 lines of ten bytes into files of a hundred. */
async function filled(maxFiles: number) {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-log-'));
  folders.push(folder);
  const rotation = { maxSize: 100, maxFiles };
  const log = new LogFile(join(folder, 'a.log'), () => rotation);
  for (let n = 0; n < 200; n++) {
    log.write(`line ${String(n).padStart(4, '0')}`);
    if (n % 7 === 0) await log.flush();
  }
  await log.flush();
  return { folder, log, rotation };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('a log file', () => {
  it('is for this user alone, with all that came before it and the folders that are made for it; what others made keeps its mode', async () => {
    const { folder, log } = await filled(2);
    await log.close();
    chmodSync(folder, 0o755);
    const older = join(folder, 'older.log');
    writeFileSync(older, 'from before\n');
    chmodSync(older, 0o644);
    const below = join(folder, 'made/for/it.log');
    for (const path of [older, below]) {
      const another = new LogFile(path, () => ({ maxSize: 1000, maxFiles: 2 }));
      another.write('a line');
      await another.close();
    }
    const files = readdirSync(folder).filter((name) => name.includes('.log'));
    expect(files).toEqual(expect.arrayContaining(['a.log.1', 'a.log.2', 'older.log']));
    expect(files.filter((name) => mode(join(folder, name)) !== '600')).toEqual([]);
    expect([mode(folder), mode(join(folder, 'made')), mode(join(folder, 'made/for')), mode(below), readFileSync(older, 'utf8')]).toEqual(['755', '700', '700', '600', 'from before\na line\n']);
  });

  it('keeps so many older files and prunes the oldest', async () => {
    const { folder, log } = await filled(2);
    await log.close();
    expect(readdirSync(folder).sort()).toEqual(expect.arrayContaining(['a.log.1', 'a.log.2']));
    expect(readdirSync(folder).length).toBeLessThanOrEqual(3);
    const kept = ['a.log.2', 'a.log.1', 'a.log'].flatMap((name) => (readdirSync(folder).includes(name) ? readFileSync(join(folder, name), 'utf8').trim().split('\n') : [])).filter(Boolean);
    expect(kept.at(-1)).toBe('line 0199');
    const first = Number(kept[0]!.slice(5));
    expect(first).toBeGreaterThan(150);
    expect(kept).toEqual(Array.from({ length: 200 - first }, (_, n) => `line ${String(first + n).padStart(4, '0')}`));
  });

  it('keeps no older file when there shall be none', async () => {
    const { folder, log } = await filled(0);
    await log.close();
    expect(readdirSync(folder).filter((name) => name !== 'a.log')).toEqual([]);
  });

  it('tells its last lines, from older files as well', async () => {
    const { log } = await filled(5);
    expect(await log.tail(30)).toEqual(Array.from({ length: 30 }, (_, n) => `line 0${170 + n}`));
    expect(await log.tail(0)).toEqual([]);
    await log.close();
  });

  it('takes over another size while it is written', async () => {
    const { folder, log, rotation } = await filled(3);
    rotation.maxSize = 1e6;
    for (let n = 0; n < 100; n++) log.write('x'.repeat(50));
    await log.close();
    expect(readFileSync(join(folder, 'a.log')).length).toBeGreaterThan(5000);
  });

  it.each<[string, (folder: string) => void]>([
    ['file', (folder) => rmSync(join(folder, 'a.log'))],
    ['folder', (folder) => rmSync(folder, { recursive: true })],
    ['file, with another in its place', (folder) => (rmSync(join(folder, 'a.log')), writeFileSync(join(folder, 'a.log'), 'new\n'))],
  ])('is made anew when its %s is removed', async (what, remove) => {
    const folder = join(temporaryFolder(), 'logs');
    const told: string[] = [];
    const log = new LogFile(join(folder, 'a.log'), () => ({ maxSize: 1000, maxFiles: 1 }), (message) => told.push(message));
    log.write('before');
    await log.flush();
    remove(folder);
    log.write('after');
    await log.flush();
    expect(readFileSync(join(folder, 'a.log'), 'utf8')).toBe(what.includes('another') ? 'new\nafter\n' : 'after\n');
    expect([mode(join(folder, 'a.log')), told]).toEqual(['600', []]);
    await log.close();
  });

  it('tries again what the disk has refused, in order, and tells both', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    mkdirSync(path);
    let heard: () => void;
    const told: string[] = [];
    const again = new Promise<void>((resolve) => (heard = resolve));
    const log = new LogFile(path, () => ({ maxSize: 1000, maxFiles: 1 }), (message) => void (told.push(message) === 2 && heard()));
    log.write('one');
    await log.flush();
    log.write('two');
    await log.flush();
    expect(told).toEqual([expect.stringMatching(/^the log .*a\.log cannot be written: EISDIR.*; it is tried again$/)]);
    // Who asks meanwhile is told what is not in the file yet.
    expect(await log.tail(10)).toEqual(['one', 'two']);
    rmSync(path, { recursive: true });
    await again;
    expect(told[1]).toBe(`the log ${path} is written again`);
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    await log.close();
  });

  it('that is refused to the end says how much is lost; a long refusal costs lines, not memory', async () => {
    const path = join(temporaryFolder(), 'a.log');
    mkdirSync(path);
    const told: string[] = [];
    const log = new LogFile(path, () => ({ maxSize: 1e9, maxFiles: 1 }), (message) => told.push(message));
    log.write('first');
    await log.flush();
    for (let n = 0; n < 100; n++) log.write('x'.repeat(1024 ** 2));
    await log.close();
    expect(told).toHaveLength(2);
    expect(told[1]).toMatch(/^the last 101 lines of the log .* are lost: EISDIR/);
    const late = new LogFile(path, () => ({ maxSize: 1e9, maxFiles: 1 }), () => {});
    late.write('first');
    await late.flush();
    for (let n = 0; n < 100; n++) late.write('x'.repeat(1024 ** 2));
    rmSync(path, { recursive: true });
    await late.close();
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect([lines[0], lines.length < 10, lines.at(-1)]).toEqual(['first', true, expect.stringMatching(/^… \d+ lines were dropped: the log could not be written$/)]);
  });

  it.skipIf(!existsSync('/dev/full'))('a full disk is one that refuses', async () => {
    const told: string[] = [];
    const log = new LogFile('/dev/full', () => ({ maxSize: 1e9, maxFiles: 1 }), (message) => told.push(message));
    log.write('line');
    await log.close();
    expect(told).toEqual([expect.stringContaining('cannot be written: ENOSPC'), expect.stringMatching(/^the last 1 lines of the log \/dev\/full are lost: ENOSPC/)]);
  });
});
