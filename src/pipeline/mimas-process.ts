// A Mimas process file as a component of this machine: a child process that is asked over its link how it is, and to stop.
import type { ProcessManager } from '../manager/process-manager.js';
import type { Cgroup } from '../runtime/cgroups.js';
import { groupUsage } from '../runtime/group-usage.js';
import type { HealthStatus } from '../types.js';
import type { Exit, Launch, Running } from './orchestrator.js';

export interface ProcessPlace extends Pick<Running, 'reach' | 'exec'> {
  readonly cwd: string;
  readonly cgroup: Cgroup | undefined;
}

/** @throws ProcessStartError, InitError; the signal of the launch gives the start up at once */
export async function startMimasProcess(manager: ProcessManager, file: string, { replica: { id, component }, env, signal }: Launch, { cwd, cgroup, reach, exec }: ProcessPlace): Promise<Running> {
  const unit = await manager.spawnUnit(file, {
    name: id,
    env,
    argv: component.args,
    cwd,
    startupTimeout: component.healthCheck?.startTimeout ?? 30_000,
    // The pipeline's supervisor restarts it.
    restartPolicy: { enabled: false },
    ...(component.limits?.memory === undefined ? {} : { resources: { maxMemory: component.limits.memory } }),
  }, signal);
  const { pid } = unit;
  if (pid !== undefined) cgroup?.enter(pid);
  const exited = new Promise<Exit>((done) => {
    unit.on('crash', ({ exitCode, signal: by }) => done({ code: exitCode, signal: by }));
    unit.on('stop', () => done({ code: 0, signal: null }));
  });
  const stop = async (grace: number, hurry?: AbortSignal) => {
    const kill = () => void unit.kill();
    hurry?.addEventListener('abort', kill, { once: true });
    if (grace <= 0 || hurry?.aborted) await unit.kill();
    else await unit.stop({ timeout: grace });
    hurry?.removeEventListener('abort', kill);
    cgroup?.remove();
  };
  return {
    pid,
    exited,
    reach,
    exec,
    async usage() {
      return pid === undefined ? undefined : groupUsage(pid);
    },
    async health() {
      const why = illness(await unit.health());
      if (why !== undefined) throw new Error(why);
    },
    stop: ({ grace, hurry }) => stop(grace, hurry),
    gone: () => stop(0),
  };
}

/** Why a process says that it is not well; undefined when it does not say so. */
export function illness({ status, checks }: HealthStatus): string | undefined {
  return status === 'unhealthy' ? (checks.find((check) => check.status === 'fail')?.message ?? 'it says that it is unhealthy') : undefined;
}
