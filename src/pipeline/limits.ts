// Limits of processes, kept by the kernel: a cgroup for each start, where this machine allows to make one.
import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { processFacts } from '../runtime/process-facts.js';
import { Cgroup, detectCgroups, type CgroupLimits, type CgroupSupport } from '../runtime/cgroups.js';
import type { Limits } from './model.js';
import type { Refusal } from './orchestrator.js';

const PREFIX = 'mimas-pipeline-';
const NAME = /^mimas-pipeline-(\d+)-(\d+)-/;

export class Limiter {
  #found: CgroupSupport | undefined;
  #next = 1;

  constructor(private readonly detect: () => CgroupSupport = detectCgroups) {}

  /** What of the limits cannot be kept on this machine. */
  gaps(id: string, limits: Limits): Refusal[] {
    const names = new Set(Cgroup.gaps(resourcesOf(limits), this.#support).map((gap) => (gap.startsWith('memory') ? 'memory' : 'cpu')));
    return [...names].map((name) => ({
      field: 'resources',
      message: `${id}: resources.${name} cannot be kept for processes here: ${this.#support.missing.join(', ') || 'no cgroup can be made'}; limits for containers alone go under container.resources`,
    }));
  }

  /** Undefined: there is nothing to keep. The caller removes it when nobody is in it any more. */
  make(id: string, limits: Limits | undefined): Cgroup | undefined {
    if (!limits) return undefined;
    const owner = `${process.pid}-${processFacts(process.pid)?.startTicks ?? 0}`;
    return new Cgroup(`${PREFIX}${owner}-${this.#next++}-${id}`, resourcesOf(limits), this.#support);
  }

  /** Removes the empty groups of owners that are gone. */
  clearLeftovers(): void {
    for (const parent of new Set(Object.values(this.#support.parents))) {
      for (const name of foldersIn(parent)) {
        const [, pid, ticks] = NAME.exec(name) ?? [];
        if (pid === undefined || processFacts(Number(pid))?.startTicks === ticks) continue;
        try {
          rmdirSync(join(parent, name));
        } catch {
          // Somebody is still in it, or another start was faster.
        }
      }
    }
  }

  get #support(): CgroupSupport {
    return (this.#found ??= this.detect());
  }
}

const resourcesOf = ({ cpu, memory, cpuRequest, memoryRequest }: Limits): CgroupLimits => ({ cpuLimit: cpu, memoryLimit: memory, cpuRequest, memoryRequest });

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
