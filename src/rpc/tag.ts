// How the payload of a value is to be read.

export const Tag = {
  /** A primitive, or an array of at most `INLINE_LENGTH` primitives, as it is. */
  INLINE: 0,
  /** Packed with this link's record definitions: to be decoded in the order of encoding. */
  PLAIN: 1,
  /** Packed without them: any codec of the other side decodes it, at any time. */
  STANDALONE: 2,
  /** A packed table (graph-table.ts) with attachments; standalone as well. */
  GRAPH: 3,
} as const;
/** Added to a tag: all strings in the packed bytes are ASCII, which is faster to read. */
export const ASCII = 8;

export const INLINE_LENGTH = 8;
