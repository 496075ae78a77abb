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

/** Of a terminal, see ECMA-48: CSI …, then strings such as OSC with their end, then the short ones; C1 codes begin the same. */
const SEQUENCE = String.raw`(?:\u001B\[|\u009B)[0-?]*[ -\/]*[@-~]|(?:\u001B[\]PX^_]|[\u0090\u0098\u009D-\u009F])[^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?|\u001B[ -\/]*[0-~]`;
const CONTROLS = new RegExp(`${SEQUENCE}|${UNPRINTABLE.source}`, 'gu');
// oxlint-disable-next-line no-control-regex
const COLOUR = /^\u001B\[[\d;:]*m$/;

/** A line that a program printed, as a terminal would show it, with its colours or without: nothing in it moves the cursor, hides it or clears anything. */
export function fitForTerminal(line: string, { colour }: { colour: boolean }): string {
  // Who prints progress over and over on one line means the last of it.
  const last = line.replace(/\r+$/, '');
  let coloured = false;
  const fit = last.slice(last.lastIndexOf('\r') + 1).replace(CONTROLS, (found) => {
    if (found === '\t') return found;
    if (colour && COLOUR.test(found)) return (coloured = true), found;
    return found.length > 1 && !/^\p{Cs}/u.test(found) ? '' : escape(found);
  });
  return coloured ? `${fit}\u001B[0m` : fit;
}

/** At most `longest` characters of it. */
export const shortened = (text: string, longest = 500): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);
