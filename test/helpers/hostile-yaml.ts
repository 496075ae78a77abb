// YAML that costs far more than it is long: for every reader of files that people write.
const MB = 1024 ** 2;

/** Up to a megabyte of it. */
const filled = (part: string, around: readonly [string, string] = ['', '']): string => `${around[0]}${part.repeat(Math.floor((MB - around[0].length - around[1].length) / part.length))}${around[1]}`;
const nested = (open: string, close: string): string => open.repeat(Math.floor(MB / (open.length + close.length))) + close.repeat(Math.floor(MB / (open.length + close.length)));
const lines = (count: number, line: (n: number) => string): string => Array.from({ length: count }, (_, n) => line(n)).join('\n');

/** Of each: what it is, and its text, which ends with a line break. */
export const HOSTILE_YAML: readonly (readonly [name: string, text: string])[] = [
  // Depth.
  ['lists in lists', nested('[', ']')],
  ['lists that never end', filled('[')],
  ['maps in maps', nested('{a: ', '}')],
  ['block lists in block lists', filled('- ', ['', 'x'])],
  ['keys that are keys', filled('? ', ['', 'x'])],
  ['maps that are indented ever further', lines(1400, (n) => `${' '.repeat(n)}a:`)],
  ['aliases ever deeper', `x-0: &d0 [1]\n${lines(10_000, (n) => `x-${n + 1}: &d${n + 1} [*d${n}]`)}`],
  // Expansion.
  ['an alias bomb', `x-0: &b0 [1, 1, 1]\n${lines(30, (n) => `x-${n + 1}: &b${n + 1} [${Array(10).fill(`*b${n}`).join()}]`)}`],
  ['an alias bomb of maps', `x-0: &b0 {a: 1}\n${lines(40, (n) => `x-${n + 1}: &b${n + 1} {a: *b${n}, b: *b${n}}`)}`],
  ['an alias bomb of a long text', `x-0: &b0 ${'x'.repeat(500_000)}\nx-1: [${'*b0,'.repeat(60_000)}]`],
  ['merges that double', `x-0: &m0 {a: 1}\n${lines(60, (n) => `x-${n + 1}: &m${n + 1} {<<: [*m${n}, *m${n}]}`)}`],
  ['merges of many into many', `x-0: &m0\n${lines(10_000, (n) => `  k${n}: 1`)}\n${lines(5_000, (n) => `x-${n + 1}: {<<: *m0}`)}`],
  ['a merge with itself', 'x-0: &s\n  <<: *s\n  a: 1'],
  ['a list of itself', 'x-0: &s [*s]'],
  ['two that hold each other', 'x-0: &s {a: *t}\nx-1: &t {a: *s}'],
  ['a merge of what is no map', 'x-0: &s 1\nx-1: {<<: *s}\nx-2: {<<: [1, [2]]}'],
  ['aliases of nothing', filled('*a ')],
  // Length.
  ['keys', lines(60_000, (n) => `x-${n}: 1`)],
  ['the same key', filled('x-a: 1\n')],
  ['unknown keys', lines(25_000, (n) => `unknown-${n}: 1`)],
  ['anchors', lines(60_000, (n) => `- &a${n} 1`)],
  ['anchors of nothing', filled('&a ')],
  ['aliases', `x-a: &a 1\nx-b:\n${lines(150_000, () => '- *a')}`],
  ['commas', filled(',', ['[', ']'])],
  ['numbers in a list', filled('1,', ['[', '1]'])],
  ['faults', filled('- }\n')],
  ['keys of keys', filled('? a\n: ')],
  ['colons', filled('a: ')],
  ['documents', filled('---\n')],
  ['directives', filled('%YAML 1.2\n')],
  ['comments', filled('# x\n', ['', 'a: 1'])],
  ['line breaks', filled('\n', ['', 'a: 1'])],
  ['one long word', filled('x', ['a: ', ''])],
  ['one long key', filled('x', ['', ': 1'])],
  ['one long tag', filled('!')],
  ['folded lines', filled('  x\n\n', ['a: >\n', ''])],
  ['escapes', filled('\\n', ['a: "', '"'])],
  ['blanks', filled(' ', ['a: ', ''])],
  ['tabs', filled('\t')],
  ['zeros', filled('\0')],
  ['halves of pairs', filled('\uD800', ['a: ', ''])],
  ['more than is read', `${filled('# x\n')}${filled('# x\n')}`],
  ['another schema', '%YAML 1.1\n---\nx-a: !!set {a, b}\nx-b: !!omap [a: 1]\nx-c: !!pairs [a: 1, a: 2]\nx-d: 2001-01-01\nx-e: !!binary aGFsbG8=\nx-f: {<<: {a: 1}}\nx-g: 1:30\n1: {}'],
  ['keys that are maps and lists', '? {a: 1}\n: 1\n? [b]\n: 2\n? &k c\n: 3\n*k : 4'],
  ['names of objects', '__proto__: {a: 1}\nconstructor: 1\ntoString: 2\nx-a: {__proto__: 1, hasOwnProperty: 2}'],
].map(([name, text]) => [name!, `${text}\n`] as const);

/** Processor time of this thread's process, in ms: what others do on the machine does not count. */
export function costOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
