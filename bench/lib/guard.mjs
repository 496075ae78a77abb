// The figures of the guard and when one of them is a clear loss. All are costs: less is better.
import { importCost } from '../import.mjs';
import { loadSystems } from '../systems/index.mjs';
import { inFlight } from './drive.mjs';
import { cpuMicros, familyOf } from './proc.mjs';
import { median } from './stats.mjs';

/** Worse than recorded by more than this share is a clear loss. */
const TOLERANCE = 0.3;
const ROUNDS = 5;
const WINDOW = 120;
const RUN_IN = 350;

const PAIRS = {
  thread: ['mimas', 'mimas worker/ipc', 'raw-port', 'raw MessagePort'],
  child: ['mimas', 'mimas child/ipc', 'raw-fork', 'raw fork advanced'],
  none: ['mimas', 'mimas none/ipc', 'in-process', 'structuredClone'],
};

/** Cores that a pair keeps busy when nothing else runs, less a good part. With fewer, batches form differently and the cost of a call says nothing. */
const ENOUGH = { thread: 0.9, child: 0.9, none: 0.6 };

/** Name of a figure → what it says. */
export const guarded = {
  thread: 'worker/ipc, 64 in flight, CPU of a call × raw MessagePort',
  child: 'child/ipc, 64 in flight, CPU of a call × raw fork advanced',
  none: 'none, 64 in flight, CPU of a call × structuredClone',
  importCpu: "import 'mimas' in a thread, CPU × 1,000,000 plain clones",
  importModules: "import 'mimas' in a thread, modules",
};

/** The names whose figure is clearly worse than recorded. What was not recorded cannot be. */
export function clearLoss(baseline, measured) {
  return Object.keys(measured).filter((name) => measured[name] > baseline[name] * (1 + TOLERANCE));
}

/**
 * @param names what to measure; default all
 * @returns {Promise<{ measured: object, starved: string[] }>} `starved`: figures taken while other programs had the machine
 */
export async function measureGuard(names = Object.keys(guarded)) {
  const measured = {};
  const starved = [];
  for (const name of names.filter((candidate) => PAIRS[candidate])) {
    const { ratio, cores } = await costRatio(PAIRS[name]);
    measured[name] = ratio;
    if (cores < ENOUGH[name]) starved.push(name);
  }
  if (names.some((name) => name.startsWith('import'))) {
    const { cpuMs, modules } = await importCost(ROUNDS);
    if (names.includes('importCpu')) measured.importCpu = cpuMs / yardstick();
    if (names.includes('importModules')) measured.importModules = modules;
  }
  return { measured, starved };
}

/** CPU of a call of one system over that of the other: median of the ratios of alternating rounds. */
async function costRatio([ownFile, ownName, otherFile, otherName]) {
  const sides = [];
  for (const [file, name] of [[ownFile, ownName], [otherFile, otherName]]) sides.push(await (await loadSystems(file)).find((system) => system.name === name).start());
  const pids = familyOf();
  const shares = [];
  const cost = async (api, window) => {
    const before = cpuMicros(pids);
    const { calls, ms } = await inFlight((i) => api.add(i, 1), 64, window);
    const used = cpuMicros(pids) - before;
    shares.push(used / 1000 / ms);
    return used / calls;
  };
  for (const api of sides) await cost(api, RUN_IN);
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? sides : [...sides].reverse();
    const costs = new Map();
    for (const api of order) costs.set(api, await cost(api, WINDOW));
    ratios.push(costs.get(sides[0]) / costs.get(sides[1]));
  }
  for (const api of sides) await api.close();
  return { ratio: median(ratios), cores: median(shares.slice(sides.length)) };
}

/** A piece of work of this machine's own speed, in ms of CPU. */
function yardstick() {
  const runs = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < 20_000; i++) structuredClone([i, 1]);
    const { user, system } = process.cpuUsage(before);
    runs.push((user + system) / 1000);
  }
  return median(runs) * 50;
}
