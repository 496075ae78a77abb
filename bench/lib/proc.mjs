// What Linux says about processes: CPU time and private memory. Everything is undefined or 0 elsewhere.
import { readdirSync, readFileSync } from 'node:fs';

const read = (path) => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};

/** `root` and all its living descendants. */
export function familyOf(root = process.pid) {
  const parents = new Map();
  for (const name of read('/proc/self/stat') ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    // The command may contain spaces and parentheses, so fields count from its end.
    if (stat) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const family = [root];
  for (const member of family) for (const [pid, parent] of parents) if (parent === member) family.push(pid);
  return family;
}

/** CPU time of all threads of these processes so far, in microseconds. Threads that have ended are not counted. */
export function cpuMicros(pids) {
  let nanos = 0;
  for (const pid of pids) {
    let threads = [];
    try {
      threads = readdirSync(`/proc/${pid}/task`);
    } catch {
      // It has ended, or this is not Linux.
    }
    for (const thread of threads) nanos += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) || 0;
  }
  if (nanos > 0) return nanos / 1000;
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Memory that only these processes have, in MB. */
export function privateMegabytes(pids) {
  let kilobytes = 0;
  for (const pid of pids) for (const [, size] of read(`/proc/${pid}/smaps_rollup`).matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)) kilobytes += Number(size);
  return kilobytes === 0 ? NaN : kilobytes / 1024;
}

/** Highest resident set of this process so far, in MB. */
export const peakMegabytes = () => Number(/VmHWM:\s+(\d+)/.exec(read('/proc/self/status'))?.[1] ?? NaN) / 1024;
