// Why a pipeline ended badly, for people and for scripts.
import type { ComponentFailedError } from '../../errors.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { complain, note, quoted } from '../output.js';

const BY_CODE: Readonly<Record<string, number>> = { PIPELINE_INVALID: EXIT.usage, PIPELINE_RUNNING: EXIT.failed, PIPELINE_NOT_RUNNING: EXIT.unreachable, ENGINE_UNAVAILABLE: EXIT.unreachable };

export const exitCodeOfPipeline = (error: unknown): number => BY_CODE[String((error as { code?: unknown } | null)?.code)] ?? exitCodeOf(error);

/** The failure and the last lines of the component, each with its name. */
export function complainOfComponent(failure: InstanceType<typeof ComponentFailedError>, json: boolean | undefined): void {
  if (json) return complain(failure, true);
  note(`mimas: ${failure.message}`);
  for (const line of failure.lastLines) note(`    ${failure.component} | ${quoted(line)}`);
}
