// Which file defines which systems. A measured process imports one file only: what others load would show in its memory and start.
const FILES = ['in-process', 'mimas', 'raw-port', 'piscina', 'tinypool', 'comlink', 'birpc', 'workerpool', 'raw-fork', 'jest-worker', 'raw-socket', 'moleculer', 'nest', 'grpc', 'capnweb'];

/** The system that all others of its group are compared with. */
export const BASELINES = { 'in-process': 'structuredClone', thread: 'raw MessagePort', child: 'raw fork advanced', socket: 'raw tcp frames' };
export const GROUPS = Object.keys(BASELINES);

/** Facts of all systems, read without keeping their modules in mind: `{ name, group, kind, quick, file }`. */
export async function listSystems() {
  const all = [];
  for (const file of FILES) for (const { start: _, ...facts } of await loadSystems(file)) all.push({ ...facts, file });
  return all;
}

export const loadSystems = async (file) => (await import(`./${file}.mjs`)).systems;
