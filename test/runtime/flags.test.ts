// What a child inherits of the flags of its program, as Node keeps them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { childFlags } from '../../src/runtime/flags.js';
import { temporaryFolder } from '../helpers/temporary.js';

it.each<[string, string[], string[]]>([
  ['flags of V8 and Node', ['--expose-gc', '--max-old-space-size=100', '--no-warnings', '--stack-trace-limit=50'], ['--expose-gc', '--max-old-space-size=100', '--no-warnings', '--stack-trace-limit=50']],
  ['modules to load first', ['--import', './a.mjs', '-r', './b.cjs', '--require=c'], ['--import', './a.mjs', '-r', './b.cjs', '--require=c']],
  ['conditions', ['-C', 'source', '--conditions=dev'], ['-C', 'source', '--conditions=dev']],
  ['the debugger', ['--inspect', '--expose-gc', '--inspect-brk=0', '--inspect-port', '0', '--inspect-wait', '--debug-port=1', '--inspect-publish-uid=http'], ['--expose-gc']],
  ['code to evaluate', ['--no-warnings', '--input-type=module', '-e', 'console.log(1)'], ['--no-warnings']],
  ['code that looks like a flag', ['--eval', '--x;', '--no-warnings'], ['--no-warnings']],
  ['code in one word', ['--eval=1', '--print', '1 + 1', '-p', '-pe', '-1', '--expose-gc'], ['--expose-gc']],
  ['a type of its own', ['--input-type', 'module', '--enable-source-maps'], ['--enable-source-maps']],
  ['tests and watching', ['--test', '--test-reporter', 'spec', '--test-only', '--watch', '--watch-path=src', '--expose-gc'], ['--expose-gc']],
  ['files of variables, which it has already', ['--env-file=.env', '--env-file-if-exists', '.env.local'], []],
])('%s: %j', (_, given, inherited) => {
  expect(childFlags(undefined, given)).toEqual(inherited);
  expect(childFlags(process.cwd(), given)).toEqual(inherited);
});

const before = process.cwd();
afterAll(() => process.chdir(before));

it('in another folder, modules and files are those that the program has', () => {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries({ 'node_modules/dep/package.json': '{ "name": "dep", "exports": { "./register": { "import": "./register.mjs", "require": "./register.cjs" } } }', 'node_modules/dep/register.mjs': '', 'node_modules/dep/register.cjs': '', 'b.cjs': '' })) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  process.chdir(folder);
  const here = process.cwd();
  const url = (name: string) => pathToFileURL(join(here, name)).href;
  expect(childFlags('/', ['--import', './a.mjs', '--import=dep/register', '--import', 'data:text/javascript,1', '--import', 'not-there', '-r', './b.cjs', '--require=dep/register', '-C', './source', '--loader', './l.mjs', '--diagnostic-dir=out', '--expose-gc'])).toEqual([
    '--import', url('a.mjs'), `--import=${url('node_modules/dep/register.mjs')}`, '--import', 'data:text/javascript,1', '--import', 'not-there', '-r', join(here, 'b.cjs'),
    `--require=${join(here, 'node_modules/dep/register.cjs')}`, '-C', './source', '--loader', url('l.mjs'), `--diagnostic-dir=${join(here, 'out')}`, '--expose-gc',
  ]);
  expect(childFlags('.', ['--import', './a.mjs'])).toEqual(['--import', './a.mjs']);
});
