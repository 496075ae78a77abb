// An error that is too large for its link, without what makes it so: class, name and code arrive, and all else of it that has room.
// What was left out is named in its field `omitted`, so that nobody takes the rest for the whole.
import { isError } from '../errors.js';
import { ValueCodec } from './codec.js';

/** Shares of a frame: for fields, causes and errors; for the message; for the stack. */
const FIELDS = 0.5;
const TEXT = 0.1;
/** Causes of causes that are looked at. */
const DEEPEST = 5;
const CUT = '… (cut: it is larger than maxFrame)';
const STANDALONE = { root: 'error', standalone: true } as const;

export function slimError(error: Error, { level, maxFrame }: { level: 'objects' | 'bytes'; maxFrame: number }, deep = 0): Error {
  // Without a link: what is live in it becomes text, and nothing is lent by looking.
  const codec = new ValueCodec({ level, maxFrame });
  const sizeOf = (value: unknown): number => {
    try {
      return codec.encode({ value }, STANDALONE).size;
    } catch {
      return Infinity;
    }
  };
  const omitted: string[] = [];
  const text = (key: string, value: string): string => {
    if (value.length <= maxFrame * TEXT) return value;
    omitted.push(key);
    return value.slice(0, Math.floor(maxFrame * TEXT)) + CUT;
  };
  const message = text('message', String(error.message));
  const slim = new Error(message);
  Object.setPrototypeOf(slim, Object.getPrototypeOf(error) as object);
  let room = maxFrame * FIELDS;
  const keep = (key: string | symbol, value: unknown, enumerable: boolean) => Object.defineProperty(slim, key, { value, enumerable, configurable: true, writable: true });
  const own = Reflect.ownKeys(error).filter((key) => key !== 'message' && key !== 'stack');
  const parts = own.map((key) => ({ key, enumerable: Object.prototype.propertyIsEnumerable.call(error, key), value: read(error, key) })).map((part) => ({ ...part, size: sizeOf(part.value) }));
  const kept = new Set<string | symbol>();
  for (const { key, size } of parts.toSorted((a, b) => a.size - b.size)) {
    if (size > room) break;
    room -= size;
    kept.add(key);
  }
  for (const { key, value, enumerable } of parts) {
    if (kept.has(key)) keep(key, value, enumerable);
    else if (isError(value) && key === 'cause' && deep < DEEPEST) {
      const cause = slimError(value, { level, maxFrame: Math.max(0, room / 2) }, deep + 1);
      omitted.push(...((cause as { omitted?: string[] }).omitted ?? []).map((part) => `cause.${part}`));
      room -= sizeOf(cause);
      keep(key, cause, enumerable);
    } else omitted.push(String(key));
  }
  // The stack begins with the message.
  const stack = String(error.stack ?? '');
  const frames = stack.startsWith(`${error.name}: ${error.message}`) ? stack.slice(`${error.name}: ${error.message}`.length) : stack;
  keep('stack', frames === stack ? text('stack', stack) : `${error.name}: ${message}${text('stack', frames)}`, false);
  if (!own.includes('omitted')) keep('omitted', omitted, true);
  return slim;
}

function read(error: Error, key: string | symbol): unknown {
  try {
    return (error as unknown as Record<string | symbol, unknown>)[key];
  } catch {
    return '[a getter that threw]';
  }
}
