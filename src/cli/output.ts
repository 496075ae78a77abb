// What the command prints: results on stdout, everything else on stderr; with --json each line is one object. Nothing that is said
// on stderr moves the cursor of a terminal.
import { inspect, stripVTControlCharacters } from 'node:util';
import { printable, printableLines } from '../printable.js';

export const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** Names and messages in it may come from anywhere; they are escaped. */
export const note = (line: string): void => void process.stderr.write(`${printableLines(line)}\n`);
/** What a process printed, as part of a message: without its colours. */
export const quoted = (output: string): string => stripVTControlCharacters(output);
export const event = (name: string, detail: object): void => say(toJson({ event: name, ...detail }));

/** Whether stdout is a terminal whose user has not asked for plain text. */
export const inColour = (): boolean => process.stdout.isTTY === true && !process.env['NO_COLOR'];

/** A value for people: a text as it is, anything else as Node shows it. */
export const show = (value: unknown): string => (typeof value === 'string' ? value : inspect(value, { depth: null, colors: process.stdout.isTTY, maxArrayLength: null, maxStringLength: null }));

/** A value as one line of JSON. What JSON lacks is written as its nearest: BigInt as text, Map as pairs, Set as list, bytes as base64. */
export const toJson = (value: unknown): string => printable(JSON.stringify(value, jsonValue) ?? 'null');

function jsonValue(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value];
  if (value instanceof Error) return describe(value);
  // Buffer has a toJSON that ran already; other bytes have not.
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  return value;
}

function describe(error: Error): object {
  const { code, ...fields } = { ...(error as Error & { code?: unknown }) };
  return { ...fields, name: error.name, ...(code === undefined ? {} : { code }), message: error.message };
}

/** Says why it ended. People get the message; the stack only of an error that is not one of Mimas's own. */
export function complain(error: unknown, json: boolean | undefined): void {
  if (json) note(toJson({ error: error instanceof Error ? describe(error) : { message: String(error) } }));
  else if (error instanceof Error) {
    note(`mimas: ${error.name}: ${error.message}`);
    const tail = (error as { stderrTail?: string }).stderrTail;
    if (tail && !error.message.includes(tail)) note(quoted(tail).replace(/^/gm, '    '));
  } else note(`mimas: ${String(error)}`);
}

/** Hears when nobody reads what is printed any more, the terminal is gone, say; without it that is an error nobody catches. */
export function onHangUp(listener: () => void): void {
  let heard = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      if (!heard) listener();
      heard = true;
    });
  }
}
