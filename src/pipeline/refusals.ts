// What a file says that one orchestrator cannot do: each refused where it stands in the file.
import type { PipelineSpec } from './model.js';
import type { Orchestrator } from './orchestrator.js';
import type { Problem } from './problems.js';

export function refusalsOf(spec: PipelineSpec, orchestrator: Orchestrator): Problem[] {
  return spec.components.flatMap((component) =>
    orchestrator.refusals(component).map(({ field, message }) => ({ ...placeOf(spec, component.id, field), message })),
  );
}

/** A pipeline that was not read from a file has no lines. */
export const placeOf = (spec: PipelineSpec, id: string, field: string): Omit<Problem, 'message'> => spec.locate?.(id, field) ?? { file: spec.file, line: 1, column: 1, path: field };
