// One process for ever: a pid alone is given to others later, but not with the same start time in the same boot.
import { readFileSync } from 'node:fs';
import { isLiving, processFacts } from './process-facts.js';

export interface Identity {
  readonly pid: number;
  /** Clock ticks from boot to its start; empty where there is no `/proc`. */
  readonly startTicks: string;
  readonly boot: string;
}

let boot: string | undefined;
const bootId = (): string => {
  try {
    return (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  } catch {
    return (boot = '');
  }
};

export const identityOf = (pid: number): Identity => ({ pid, startTicks: processFacts(pid)?.startTicks ?? '', boot: bootId() });

let own: Identity | undefined;
export const myself = (): Identity => (own ??= identityOf(process.pid));

/** True while that very process lives. Without proof (no `/proc`) the answer is no: strangers are never touched. */
export function isSame({ pid, startTicks, boot: then }: Identity): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || startTicks === '' || then !== bootId()) return false;
  const now = processFacts(pid);
  return now !== undefined && now.startTicks === startTicks && isLiving(now);
}

export function parseIdentity(text: string): Identity | undefined {
  try {
    const { pid, startTicks, boot: then } = JSON.parse(text) as Partial<Identity>;
    return typeof pid === 'number' && typeof startTicks === 'string' && typeof then === 'string' ? { pid, startTicks, boot: then } : undefined;
  } catch {
    return undefined;
  }
}
