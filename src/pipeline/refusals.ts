// What a file says that one orchestrator cannot do: each refused where it stands in the file.
import type { PipelineSpec } from './model.js';
import type { Orchestrator } from './orchestrator.js';
import { plan, type Plan } from './plan.js';
import { invalidPipeline, type Problem } from './problems.js';

export function refusalsOf(spec: Pick<PipelineSpec, 'components' | 'locate' | 'file'>, orchestrator: Orchestrator): Problem[] {
  return spec.components.flatMap((component) =>
    orchestrator.refusals(component).map(({ field, message }) => ({ ...placeOf(spec, component.id, field), message })),
  );
}

/** A pipeline that was not read from a file has no lines. */
export const placeOf = (spec: Pick<PipelineSpec, 'locate' | 'file'>, id: string, field: string): Omit<Problem, 'message'> => spec.locate?.(id, field) ?? { file: spec.file, line: 1, column: 1, path: field };

/** @throws PipelineInvalidError when a component cannot run there, or they wait for each other */
export function planFor(spec: PipelineSpec, orchestrator: Orchestrator): Plan {
  const refusals = refusalsOf(spec, orchestrator);
  if (refusals.length > 0) throw invalidPipeline(refusals);
  const made = plan(spec.components);
  if ('cycle' in made) throw invalidPipeline([{ ...placeOf(spec, made.cycle[0]!, ''), message: `components wait for each other: ${made.cycle.join(' → ')}` }]);
  return made;
}
