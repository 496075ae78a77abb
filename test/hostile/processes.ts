// What the operating system says of a process: its memory, its descriptors, its children.
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

const field = (pid: number, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

export const residentOf = (pid: number): number => field(pid, 'VmRSS');
/** The most it had since `forgetPeak`. */
export const peakOf = (pid: number): number => field(pid, 'VmHWM');
export const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');
/** Its open descriptors, by number and by what is behind them. */
export const descriptorsOf = (pid: number): string[] => readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`).map((link) => `${fd}: ${link}`));

function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return []; // closed meanwhile
  }
}
export const childrenOf = (pid: number): string[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);

/** ms that its threads could have run since they began, and had no processor: that is nobody's fault but the machine's. */
export function starvedOf(pid: number): number {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}
