// What differs between two versions of a pipeline, and what must not. Pure.
import type { Component, PipelineSpec } from './model.js';
import { invalidPipeline } from './problems.js';
import { placeOf } from './refusals.js';

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** Those of `changed` of which not only the number of replicas differs: they are started anew. */
  readonly renewed: readonly string[];
}

export function difference(before: PipelineSpec, after: PipelineSpec): Difference {
  const old = new Map(before.components.map((one) => [one.id, one]));
  const now = new Map(after.components.map((one) => [one.id, one]));
  const changed = [...now].filter(([id, one]) => old.has(id) && !same(old.get(id)!, one)).map(([id]) => id);
  return {
    added: [...now.keys()].filter((id) => !old.has(id)),
    removed: [...old.keys()].filter((id) => !now.has(id)),
    changed,
    renewed: changed.filter((id) => !same({ ...old.get(id)!, replicas: 0 }, { ...now.get(id)!, replicas: 0 })),
  };
}

/** What the name and the orchestrator are part of (socket, network, containers) is there already. @throws PipelineInvalidError */
export function refuseAnother(before: PipelineSpec, after: PipelineSpec, type: 'process' | 'container'): void {
  const refuse = (path: string, message: string) => {
    throw invalidPipeline([{ ...placeOf(after, '', path), message: `${message}; mimas down ${before.name} ends it` }]);
  };
  if (after.name !== before.name) refuse('metadata.name', `metadata.name cannot change while the pipeline runs: it is ${before.name}, not ${after.name}`);
  if (after.driver !== undefined && after.driver !== before.driver && after.driver !== type) refuse('spec.driver', `spec.driver cannot change while the pipeline runs with the ${type} orchestrator`);
}

/** Made by one function from one table: the same text means the same component. */
const same = (a: Component, b: Component): boolean => JSON.stringify(a) === JSON.stringify(b);
