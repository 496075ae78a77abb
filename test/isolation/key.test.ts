// Ids of isolation keys: exact for plain names, and never the same for two keys that shall not share.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, UnknownOptionError } from '../../src/errors.js';
import { ISOLATION_LEVELS, processIdOf } from '../../src/isolation/index.js';

describe('the id of a key', () => {
  it('is shared, ns:<namespace> or session:<session>', () => {
    const key = { namespace: 'tenant-1', session: 'session-123' };
    expect(ISOLATION_LEVELS.map((level) => processIdOf(level, key))).toEqual(['shared', 'ns:tenant-1', 'session:session-123']);
  });

  it('does not depend on the parts that the level does not look at', () => {
    expect(processIdOf('none', {})).toBe('shared');
    expect(processIdOf('namespace', { namespace: 'a' })).toBe(processIdOf('namespace', { namespace: 'a', session: 's3' }));
    expect(processIdOf('session', { session: 's1', namespace: 'a' })).toBe(processIdOf('session', { session: 's1', namespace: 'b' }));
  });

  it('escapes what would separate parts of an id, a path or a log line', () => {
    expect(processIdOf('namespace', { namespace: 'a:b/c\\d%e\n\u0000' })).toBe('ns:a%3Ab%2Fc%5Cd%25e%0A%00');
    expect(processIdOf('namespace', { namespace: 'Zoë & Ko' })).toBe('ns:Zoë & Ko');
  });

  it('is never the same for two keys, also with a pattern after a colon', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ':', '%', '3', 'A', '/', '\u2028', '2', '8', ' '), minLength: 1, maxLength: 6 });
    fc.assert(fc.property(text, text, text, text, (n1, p1, n2, p2) => {
      const launched = (namespace: string, pattern: string) => `${processIdOf('namespace', { namespace })}:${pattern}`;
      return (launched(n1, p1) === launched(n2, p2)) === (n1 === n2 && p1 === p2);
    }), { numRuns: 3000 });
  });

  it('is refused when the part that the level needs is missing, empty, too long or no text', () => {
    for (const key of [{}, { session: 's' }, { namespace: '' }, { namespace: 7 as never }, { namespace: 'x'.repeat(257) }, { namespace: null as never }]) {
      expect(() => processIdOf('namespace', key)).toThrow(InvalidOptionError);
      expect(() => processIdOf('namespace', key)).toThrow(/^key\.namespace: /);
    }
    expect(() => processIdOf('session', { namespace: 'a' })).toThrow("key.session: level 'session' needs a session");
    expect(() => processIdOf('none', { session: '' })).toThrow(InvalidOptionError);
    expect(() => processIdOf('none', undefined as never)).toThrow(InvalidOptionError);
    expect(() => processIdOf('namespace', { namspace: 'a' } as never)).toThrow(UnknownOptionError);
  });
});
