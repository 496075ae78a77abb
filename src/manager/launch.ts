// Where code can live, by the name that users give it.
import { launchThread } from '../runtime/thread.js';
import type { Launch } from '../runtime/runtime.js';
import type { Isolation } from '../types.js';

/** Places are loaded when they are first used: a program that runs threads only never loads `child_process`. */
export async function launch(isolation: Isolation): Promise<Launch> {
  switch (isolation) {
    case 'none':
      return (await import('../runtime/inline.js')).launchInline;
    case 'worker':
      return launchThread;
    case 'child':
      return (await import('../runtime/child.js')).launchChild;
  }
}
