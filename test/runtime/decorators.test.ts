// Which files with decorators need the second compiler, which is optional.
import { transformSync } from 'oxc-transform';
import { describe, expect, it } from 'vitest';
import { foreignDecorator } from '../../src/runtime/typescript/decorators.js';

const lowered = (source: string): string => transformSync('a.ts', source, { sourceType: 'module', target: 'es2022', decorator: { legacy: true } }).code;
const IMPORT = `import { HealthCheck, OnShutdown, Process, Public } from 'mimas';\nimport { log, logged, registry } from './own.js';\n`;
const method = (decorators: string) => `${IMPORT}@Process() export default class A { ${decorators} add() {} }`;

describe('a file with Mimas’ own decorators only', () => {
  it.each([
    ['all of them', `${IMPORT}@Process({ name: 'a' }) export default class A { @Public() a() {} @HealthCheck() b() {} @OnShutdown() c() {} }`],
    ['none', 'export const address = "ada@example.org"; export default class A {}'],
    ['others in comments and texts', `${IMPORT}/** @logged by @log */ @Process() export default class A { /* @log */ @Public() add() { return \` @log \${'@logged'}\`; } }`],
    ['renamed', `import { Process as P, Public as Q } from 'mimas';\n@P() export default class A { @Q() add() {} }`],
    ['by namespace', `import * as mimas from 'mimas';\n@mimas.Process() export default class A { @mimas.Public() add() {} }`],
    ['several at one method', method('@Public() @HealthCheck() @OnShutdown()')],
    ['options with brackets, texts and patterns', method(`@Public({ timeout: [1, 2].length, ...{ a: /[\\]"'@,]/, b: '], [log', c: \`\${log(1, 2)}, @log\` } } as object)`)],
    ['auto-accessors beside them', `${IMPORT}@Process() export default class A { accessor size = 1; @Public() add() {} }`],
    ['names that helpers have', `${IMPORT}const _decorate = log;\n@Process() export default class A { @Public() add() { return _decorate([log]); } }`],
  ])('%s', (_, source) => expect(foreignDecorator(lowered(source))).toBeUndefined());
});

describe('a file with others', () => {
  it.each([
    ['alone', method('@logged'), 'logged'],
    ['before Mimas’ own', method('@logged() @Public()'), 'logged'],
    ['behind them', method('@Public({ timeout: 5 }) @registry.log("a")'), 'registry'],
    ['at the class', `${IMPORT}@Process() @logged export default class A {}`, 'logged'],
    ['at another class of the file', `${IMPORT}@logged class B {}\n@Process() export default class A { b = new B(); }`, 'logged'],
    ['at a field', method('@logged field = 1; @Public()'), 'logged'],
    ['in parentheses', method('@(registry[0]) @Public()'), 'registry'],
    ['at a class in an expression', `${IMPORT}export const B = @logged class {};\n@Process() export default class A {}`, 'logged'],
    ['of the same name from elsewhere', `import { Process } from 'mimas';\nimport { Public } from './own.js';\n@Process() export default class A { @Public() add() {} }`, 'Public'],
    ['behind options that look like the end', method(`@Public({ a: '])', b: /[\\])]/, c: \`])\` } as object) @logged`), 'logged'],
  ])('%s', (_, source, name) => expect(foreignDecorator(lowered(source))).toBe(name));

  it('a private member, which legacy decorators cannot have', () => expect(foreignDecorator(lowered(`${IMPORT}export default class A { @Public() #add() {} }`))).toBe(''));
});
