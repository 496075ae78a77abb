// The table of pipeline files as a JSON Schema (2020-12), for editors.
import { PIPELINE } from './schema.js';
import type { Shape } from './shape.js';

type Json = Record<string, unknown>;
const VARIABLE = { type: 'string', pattern: '\\$\\{' };

export function pipelineJsonSchema(): Json {
  const root = schemaOf(PIPELINE);
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Mimas pipeline', ...root, required: ['apiVersion', 'kind', 'metadata', 'spec'] };
}

function schemaOf(shape: Shape): Json {
  const described = shape.doc ? { description: shape.doc } : {};
  return { ...described, ...typed(shape) };
}

function typed(shape: Shape): Json {
  switch (shape.kind) {
    case 'text':
      return shape.values ? { anyOf: [{ enum: [...shape.values] }, VARIABLE] } : { type: 'string', ...(shape.pattern ? { anyOf: [{ pattern: shape.pattern.source }, VARIABLE] } : {}) };
    case 'number':
      return { anyOf: [{ type: shape.integer ? 'integer' : 'number', ...(shape.min === undefined ? {} : { minimum: shape.min }), ...(shape.max === undefined ? {} : { maximum: shape.max }) }, VARIABLE] };
    case 'flag':
      return { anyOf: [{ type: 'boolean' }, VARIABLE] };
    case 'duration':
      return { anyOf: [{ type: 'number', minimum: 0 }, { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)?\\s*$' }, VARIABLE] };
    case 'size':
      return { anyOf: [{ type: 'number', minimum: 0 }, { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*([kmgtKMGT]?[iI]?[bB]?)\\s*$' }, VARIABLE] };
    case 'scalar':
      return { type: ['string', 'number', 'boolean', 'null'] };
    case 'any':
      return {};
    case 'list':
      return { type: 'array', items: schemaOf(shape.of), ...(shape.min === undefined ? {} : { minItems: shape.min }) };
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(shape.of) };
    case 'object':
      return {
        type: 'object',
        additionalProperties: false,
        ...(shape === PIPELINE ? { patternProperties: { '^x-': {} } } : {}),
        properties: Object.fromEntries(Object.entries(shape.fields).map(([name, field]) => [name, schemaOf(field)])),
        ...(shape.required?.length ? { required: [...shape.required] } : {}),
        ...(shape.oneOf ? { oneOf: shape.oneOf.map((name) => ({ required: [name] })) } : {}),
      };
    case 'either':
      return { anyOf: shape.of.map(schemaOf) };
  }
}
