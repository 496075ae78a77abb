// Who starts after whom. Pure: from a pipeline to its order; a cycle is answered with its path.
import type { Component, Condition, Kind } from './model.js';

export interface Edge { readonly id: string; readonly condition: Condition }

export interface Plan {
  /** Dependencies first; otherwise in the order of the file. */
  readonly order: readonly string[];
  /** What each waits for. */
  readonly dependencies: ReadonlyMap<string, readonly Edge[]>;
  /** Who waits for it. */
  readonly dependents: ReadonlyMap<string, readonly string[]>;
  /** Components of one level start at the same time, when each takes equally long. */
  readonly levels: readonly (readonly string[])[];
}

const EARLIER: Record<Kind, readonly Kind[]> = { source: [], processor: ['source'], sink: ['processor', 'source'], pipeline: [] };

/**
 * What each component waits for: `inputs` and `depends_on`; a processor or sink that names neither waits for the whole
 * stage before it.
 */
export function dependenciesOf(component: Component, all: readonly Component[]): Edge[] {
  const known = new Map(all.map((one) => [one.id, one]));
  const ready = (id: string): Condition => (known.get(id)?.healthCheck ? 'healthy' : 'started');
  const edges = new Map<string, Condition>();
  const implicit = component.inputs.length + component.dependsOn.length === 0;
  const stage = implicit ? EARLIER[component.kind].map((kind) => all.filter((one) => one.kind === kind)).find((members) => members.length > 0) : undefined;
  for (const { id } of stage ?? []) edges.set(id, ready(id));
  for (const id of component.inputs) edges.set(id, ready(id));
  for (const { id, condition } of component.dependsOn) edges.set(id, condition ?? ready(id));
  return [...edges].filter(([id]) => known.has(id)).map(([id, condition]) => ({ id, condition }));
}

/** The plan, or the path of a cycle (`[a, b, a]`). */
export function plan(components: readonly Component[]): Plan | { readonly cycle: readonly string[] } {
  const dependencies = new Map(components.map((one) => [one.id, dependenciesOf(one, components)]));
  const level = new Map<string, number>();
  const open: string[] = [];
  let cycle: string[] | undefined;
  const visit = (id: string): number => {
    const known = level.get(id);
    if (known !== undefined || cycle) return known ?? 0;
    if (open.includes(id)) {
      cycle = [...open.slice(open.indexOf(id)), id];
      return 0;
    }
    open.push(id);
    const own = Math.max(-1, ...dependencies.get(id)!.map((edge) => visit(edge.id))) + 1;
    open.pop();
    level.set(id, own);
    return own;
  };
  for (const { id } of components) visit(id);
  if (cycle) return { cycle };
  const levels: string[][] = [];
  for (const { id } of components) (levels[level.get(id)!] ??= []).push(id);
  const dependents = new Map<string, string[]>(components.map(({ id }) => [id, []]));
  for (const [id, edges] of dependencies) for (const edge of edges) dependents.get(edge.id)!.push(id);
  return { order: levels.flat(), dependencies, dependents, levels };
}

/** Calls `work` for each component: for dependents before what they depend on, for independent ones at the same time. */
export async function inReverse({ order, dependents }: Plan, work: (id: string) => Promise<void>): Promise<void> {
  const ends = new Map<string, Promise<void>>();
  const end = (id: string): Promise<void> => {
    const known = ends.get(id);
    if (known) return known;
    const ending = Promise.all((dependents.get(id) ?? []).map(end)).then(() => work(id));
    ends.set(id, ending);
    return ending;
  };
  await Promise.all(order.map(end));
}
