// Text of files and of other programs, made fit for a terminal: what would move its cursor, colour it or turn its lines around is
// written as `\u001b` instead, which JSON can read as well.

/** Control characters, marks that change the direction of text, line separators, halves of pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const escape = (character: string): string => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** One line, whatever was in it. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escape);

/** As `printable`, with line breaks and tabs left as they are. */
export const printableLines = (text: string): string => text.replace(UNPRINTABLE, (character) => (character === '\n' || character === '\t' ? character : escape(character)));

/** At most `longest` characters of it. */
export const shortened = (text: string, longest = 500): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);
