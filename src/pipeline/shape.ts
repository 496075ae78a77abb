// A small language for the shape of a YAML file. One description of a field serves the check, the defaults' place and the JSON Schema.

interface Described { readonly doc?: string }
export type Shape = Described & (
  | { readonly kind: 'text'; readonly values?: readonly string[]; readonly pattern?: RegExp; readonly expected?: string; readonly longest?: number }
  | { readonly kind: 'number'; readonly integer?: boolean; readonly min?: number; readonly max?: number }
  | { readonly kind: 'flag' }
  | { readonly kind: 'duration' }
  | { readonly kind: 'size' }
  /** A text, number or flag, all taken as text. */
  | { readonly kind: 'scalar' }
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly of: Shape; readonly min?: number }
  | { readonly kind: 'map'; readonly of: Shape }
  | { readonly kind: 'object'; readonly fields: Readonly<Record<string, Shape>>; readonly required?: readonly string[]; readonly oneOf?: readonly string[] }
  /** The first whose YAML type fits is taken. */
  | { readonly kind: 'either'; readonly of: readonly Shape[]; readonly expected: string }
);

type Doc<T> = Omit<T, 'kind'>;
type Of<K extends Shape['kind']> = Extract<Shape, { kind: K }>;

export const text = (doc: string, more: Doc<Of<'text'>> = {}): Shape => ({ kind: 'text', doc, ...more });
export const number = (doc: string, more: Doc<Of<'number'>> = {}): Shape => ({ kind: 'number', doc, ...more });
export const integer = (doc: string, min: number, max?: number): Shape => ({ kind: 'number', integer: true, min, ...(max === undefined ? {} : { max }), doc });
export const flag = (doc: string): Shape => ({ kind: 'flag', doc });
export const duration = (doc: string): Shape => ({ kind: 'duration', doc });
export const size = (doc: string): Shape => ({ kind: 'size', doc });
export const scalar = (doc: string): Shape => ({ kind: 'scalar', doc });
export const any = (doc: string): Shape => ({ kind: 'any', doc });
export const list = (of: Shape, doc: string, min?: number): Shape => ({ kind: 'list', of, doc, ...(min === undefined ? {} : { min }) });
export const map = (of: Shape, doc: string): Shape => ({ kind: 'map', of, doc });
export const object = (fields: Readonly<Record<string, Shape>>, doc: string, more: { required?: readonly string[]; oneOf?: readonly string[] } = {}): Shape => ({ kind: 'object', fields, doc, ...more });
export const either = (of: readonly Shape[], expected: string, doc: string): Shape => ({ kind: 'either', of, expected, doc });
