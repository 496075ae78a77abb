// From what a user wrote to an absolute path, or to a refusal that helps.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ProcessStartError } from '../../src/errors.js';
import { resolveProcessFile } from '../../src/runtime/process-file.js';
import { temporaryFolder } from '../helpers/temporary.js';

const folder = temporaryFolder('mimas files ');
const file = join(folder, 'calculator.process.ts');
for (const name of ['calculator.process.ts', 'built.js', 'notes.txt', 'types.d.ts', 'module.mjs', 'module.mts', 'half.cts', 'old.cjs']) writeFileSync(join(folder, name), '');
mkdirSync(join(folder, 'folder'));

function refusal(given: unknown, from = folder): ProcessStartError {
  try {
    resolveProcessFile(given as string, from);
  } catch (error) {
    expect(error).toBeInstanceOf(ProcessStartError);
    expect(error).toMatchObject({ code: 'PROCESS_START_FAILED', phase: 'resolve' });
    return error as ProcessStartError;
  }
  throw new Error('it was not refused');
}

it.each([
  ['a relative path', './calculator.process.ts'],
  ['a bare name', 'calculator.process.ts'],
  ['an absolute path', file],
  ['a file: URL as text', pathToFileURL(file).href],
  ['a URL', pathToFileURL(file)],
  ['a URL with a query', new URL(`${pathToFileURL(file).href}?v=1`)],
])('%s', (_, given) => {
  expect(resolveProcessFile(given, folder)).toBe(file);
});

it.each([
  ['.js', '.ts'], ['.ts', '.js'], ['.mjs', '.mts'], ['.mts', '.mjs'], ['.cjs', '.cts'], ['.cts', '.cjs'],
])('a name with %s means the file with %s where there is no other, and itself where there is one', (written, there) => {
  const pair = join(temporaryFolder(), 'pair.process');
  writeFileSync(pair + there, '');
  expect(resolveProcessFile(pair + written)).toBe(pair + there);
  expect(resolveProcessFile(pathToFileURL(pair + written))).toBe(pair + there);
  writeFileSync(pair + written, '');
  expect(resolveProcessFile(pair + written)).toBe(pair + written);
});

it('takes a relative path from the working directory by default', () => {
  expect(resolveProcessFile('scripts/build.mjs')).toBe(join(process.cwd(), 'scripts/build.mjs'));
});

it('accepts each of the six extensions', () => {
  for (const name of ['built.js', 'module.mjs', 'module.mts', 'half.cts', 'old.cjs']) expect(resolveProcessFile(name, folder)).toBe(join(folder, name));
});

it('names the absolute path of a missing file and the folder it was looked up from', () => {
  const error = refusal('sub/missing.ts');
  expect(error.file).toBe(join(folder, 'sub/missing.ts'));
  expect(error.message).toContain(join(folder, 'sub/missing.ts'));
  expect(error.message).toContain(`(sub/missing.ts was taken relative to ${folder})`);
  expect(error.message).not.toContain('did you mean');
});

it.each([
  ['calculator.process.mjs', 'calculator.process.ts'],
  ['built.mts', 'built.js'],
  ['calculator.process', 'calculator.process.ts'],
  ['calculator', 'calculator.process.ts'],
  ['calculater.process.ts', 'calculator.process.ts'],
  ['types.mts', undefined],
])('%s suggests %s', (given, suggestion) => {
  const { message } = refusal(given);
  if (suggestion) expect(message).toContain(`did you mean ${suggestion}?`);
  else expect(message).not.toContain('types.d.ts');
});

it('refuses a directory, another extension and another kind of URL, each by name', () => {
  expect(refusal('folder').message).toContain(`${join(folder, 'folder')} is a directory`);
  expect(refusal('notes.txt').message).toContain('must be one of .js, .mjs, .cjs, .ts, .mts, .cts');
  expect(refusal('https://example.com/a.ts').message).toContain('https://example.com/a.ts is not a file: URL');
});

it('refuses what is no path at all', () => {
  expect(refusal('').message).toContain('empty');
  expect(refusal(class Calculator {}).message).toContain('not by the class Calculator');
  expect(refusal(undefined).message).toContain('not by undefined');
  expect(refusal(null).message).toContain('not by null');
});
