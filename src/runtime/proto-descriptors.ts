// Descriptor sets that protoc has compiled, for reflection. What the loader of .proto files describes by itself is accepted by that
// loader alone: it names the entries of maps, fields and files as it likes, and lists no imports.
import { readFileSync } from 'node:fs';

const LENGTH_DELIMITED_FIELD_1 = 0x0a;

/** What a reflection service is given: the files of a FileDescriptorSet. */
export const describedBy = (set: URL) => ({ files: { format: 'Protocol Buffer 3 DescriptorProto' as const, type: {}, fileDescriptorProtos: filesOf(readFileSync(set)) } });

/** A FileDescriptorSet is a list of files in field 1. */
export function filesOf(set: Buffer): Buffer[] {
  const files: Buffer[] = [];
  for (let at = 0; at < set.length; ) {
    if (set[at++] !== LENGTH_DELIMITED_FIELD_1) throw new Error('this is no FileDescriptorSet');
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = set[at++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    files.push(set.subarray(at, at + length));
    at += length;
  }
  return files;
}
