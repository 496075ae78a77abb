// Whether an object is plain data, as it is asked of each object that is packed: its prototype is that of object literals, or
// none, and it is not iterable (a stream, then).

export type PlainCheck = (value: object) => boolean;

export const isPlainObject: PlainCheck = (value) => {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const symbols = value as Record<symbol, unknown>;
  return symbols[Symbol.asyncIterator] === undefined && symbols[Symbol.iterator] === undefined;
};

/** Copies of the check for a whole program; what is beyond asks `isPlainObject`. */
const MAX_COPIES = 256;
const copies = new Map<string, PlainCheck>();

/**
 * The same check for the objects of one list of keys. V8 compiles a function for the hidden classes that it has met in it: one that
 * meets a few compares a pointer (3 ns), one that meets all looks three times (26 ns). All closures of one text share what they have met, so
 * each copy has a text of its own. Where a program may not compile text (`--disallow-code-generation-from-strings`) there is none.
 */
export function plainCheckOf(signature: string): PlainCheck {
  const known = copies.get(signature);
  if (known || copies.size === MAX_COPIES) return known ?? isPlainObject;
  const check = copy() ?? isPlainObject;
  copies.set(signature, check);
  return check;
}

function copy(): PlainCheck | undefined {
  try {
    // oxlint-disable-next-line no-new-func -- a constant text, but for the number that tells it from the others
    const check = new Function(`return ${isPlainObject.toString()} // ${copies.size}`)() as PlainCheck;
    // Who instruments this text may have put names in it that mean nothing here.
    return check({}) ? check : undefined;
  } catch {
    return undefined;
  }
}
