// One log on disk: rotation, pruning, and its last lines.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogFile } from '../../src/pipeline/log-file.js';

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
});
