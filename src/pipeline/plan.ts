// Who starts after whom. Pure: from a pipeline to its order; a cycle is answered with its path.
// Invariant: the work grows with what is written; a stage that waits for a whole stage shares one list of edges.
import type { Component, Condition, Kind } from './model.js';

export interface Edge { readonly id: string; readonly condition: Condition }

/** Components that wait for the same: one that says for what, or all of a stage that do not. */
export interface Group {
  readonly edges: readonly Edge[];
  readonly members: readonly string[];
}

export interface Plan {
  /** Dependencies first; otherwise in the order of the file. */
  readonly order: readonly string[];
  /** What each waits for. */
  readonly dependencies: ReadonlyMap<string, readonly Edge[]>;
  /** Who waits for it. */
  readonly dependents: ReadonlyMap<string, readonly Group[]>;
  /** Components of one level start at the same time, when each takes equally long. */
  readonly levels: readonly (readonly string[])[];
}

const EARLIER: Record<Kind, readonly Kind[]> = { source: [], processor: ['source'], sink: ['processor', 'source'], pipeline: [] };

/**
 * What each component waits for: `inputs` and `depends_on`; a processor or sink that names neither waits for the whole
 * stage before it.
 */
function groupsOf(components: readonly Component[]): Group[] {
  const known = new Map(components.map((one) => [one.id, one]));
  const ready = (id: string): Condition => (known.get(id)?.healthCheck ? 'healthy' : 'started');
  const edgesTo = (conditions: ReadonlyMap<string, Condition>): Edge[] => [...conditions].filter(([id]) => known.has(id)).map(([id, condition]) => ({ id, condition }));
  const stages = new Map<Kind, Component[]>();
  for (const component of known.values()) {
    const stage = stages.get(component.kind);
    if (stage) stage.push(component);
    else stages.set(component.kind, [component]);
  }
  const shared = new Map<Kind, { edges: Edge[]; members: string[] }>();
  return [...known.values()].flatMap((component): Group[] => {
    const { id, kind, inputs, dependsOn } = component;
    if (inputs.length + dependsOn.length > 0) {
      const conditions = new Map<string, Condition>(inputs.map((one) => [one, ready(one)]));
      for (const one of dependsOn) conditions.set(one.id, one.condition ?? ready(one.id));
      return [{ edges: edgesTo(conditions), members: [id] }];
    }
    const group = shared.get(kind);
    if (group) {
      group.members.push(id);
      return [];
    }
    const stage = EARLIER[kind].map((earlier) => stages.get(earlier) ?? []).find((members) => members.length > 0) ?? [];
    const first = { edges: edgesTo(new Map(stage.map((one) => [one.id, ready(one.id)]))), members: [id] };
    shared.set(kind, first);
    return [first];
  });
}

/** The plan, or the path of a cycle (`[a, b, a]`). */
export function plan(components: readonly Component[]): Plan | { readonly cycle: readonly string[] } {
  const groups = groupsOf(components);
  const dependencies = new Map<string, readonly Edge[]>();
  const dependents = new Map<string, Group[]>(components.map(({ id }) => [id, []]));
  for (const group of groups) {
    for (const id of group.members) dependencies.set(id, group.edges);
    for (const { id } of group.edges) dependents.get(id)!.push(group);
  }
  const level = levelsOf(groups, dependents);
  const stuck = components.find(({ id }) => !level.has(id));
  if (stuck) return { cycle: cycleFrom(stuck.id, dependencies, level) };
  const levels: string[][] = [];
  for (const id of dependents.keys()) (levels[level.get(id)!] ??= []).push(id);
  return { order: levels.flat(), dependencies, dependents, levels };
}

/** From those that wait for nothing on; who is in a cycle, or behind one, gets no level. */
function levelsOf(groups: readonly Group[], dependents: ReadonlyMap<string, readonly Group[]>): Map<string, number> {
  const level = new Map<string, number>();
  const waiting = new Map(groups.map((group) => [group, { edges: group.edges.length, level: 0 }]));
  const ready = groups.filter(({ edges }) => edges.length === 0);
  for (const group of ready) {
    const own = waiting.get(group)!.level;
    for (const id of group.members) {
      level.set(id, own);
      for (const dependent of dependents.get(id)!) {
        const state = waiting.get(dependent)!;
        state.level = Math.max(state.level, own + 1);
        if (--state.edges === 0) ready.push(dependent);
      }
    }
  }
  return level;
}

function cycleFrom(start: string, dependencies: ReadonlyMap<string, readonly Edge[]>, level: ReadonlyMap<string, number>): string[] {
  const path = new Set<string>();
  let id = start;
  while (!path.has(id)) {
    path.add(id);
    id = dependencies.get(id)!.find((edge) => !level.has(edge.id))!.id;
  }
  const ids = [...path];
  return [...ids.slice(ids.indexOf(id)), id];
}

/** Calls `work` for each component: for dependents before what they depend on, for independent ones at the same time. */
export async function inReverse({ order, dependents }: Plan, work: (id: string) => Promise<void>): Promise<void> {
  const ends = new Map<string, Promise<void>>();
  const groups = new Map<Group, Promise<unknown>>();
  /** When all of a group are done. They come later in the order than what they wait for. */
  const endOf = (group: Group): Promise<unknown> => {
    const known = groups.get(group) ?? Promise.all(group.members.map((id) => ends.get(id)));
    groups.set(group, known);
    return known;
  };
  for (const id of order.toReversed()) ends.set(id, Promise.all(dependents.get(id)!.map(endOf)).then(() => work(id)));
  await Promise.all(ends.values());
}
