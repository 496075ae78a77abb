// Reads files that people wrote: whole, but never more than a bounded part of what has no end.
import { closeSync, openSync, readSync } from 'node:fs';

export const LARGEST_FILE = 1024 ** 2;

/** @throws Error of the file system, or that it is too large */
export function readTextFile(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(LARGEST_FILE + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < buffer.length; length += got) got = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (length > LARGEST_FILE) throw new Error(`${file} is larger than ${LARGEST_FILE / 1024 ** 2} MB, the most that is read`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}
