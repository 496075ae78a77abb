// `mimas run`: one process, supervised, in the foreground.
import { createProcessManager } from '../../manager/process-manager.js';
import type { RestartType } from '../../supervisor/restart-options.js';
import { exitCodeOf } from '../exit-codes.js';
import { labelOf, narrate, untilDone } from '../foreground.js';
import { complain, event, note } from '../output.js';

export interface RunFlags {
  isolation: 'worker' | 'child';
  name?: string;
  maxMemory?: string;
  maxRestarts: string;
  restart: RestartType;
  json?: boolean;
}

export async function run(file: string, { isolation, name, maxMemory, maxRestarts, restart, json }: RunFlags): Promise<void> {
  const label = labelOf(file, name);
  try {
    const pm = createProcessManager({ name: 'mimas run', output: 'capture' });
    narrate(pm, label, json, 'stdout');
    const proxy = await pm.spawn(file, {
      isolation,
      restartPolicy: { maxRestarts: Number(maxRestarts), maxFailures: Infinity, type: restart },
      ...(name === undefined ? {} : { name }),
      ...(maxMemory === undefined ? {} : { resources: { maxMemory } }),
    });
    const handle = proxy.$handle;
    // Before anything is said: whoever reads it may send a signal at once.
    const done = untilDone(pm, handle, label, json);
    if (json) event('ready', { name: handle.name, version: handle.version, id: handle.id, pid: handle.pid, isolation, methods: handle.methods });
    else note(`${label}: ${handle.name}${handle.version ? ` ${handle.version}` : ''} runs (${isolation}, pid ${handle.pid}); Ctrl+C stops it`);
    process.exitCode = await done;
  } catch (error) {
    complain(error, json);
    process.exitCode = exitCodeOf(error);
  }
}
