// A heap limit in bytes as threads want it.
import type { ResourceLimits } from 'node:worker_threads';

const MIB = 1024 * 1024;

/** Below 4 MB a thread cannot even start. */
export const resourceLimitsOf = (maxMemory: number): ResourceLimits => ({ maxOldGenerationSizeMb: Math.max(4, Math.round(maxMemory / MIB)) });
