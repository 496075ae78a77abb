// Whether what a component waits for has come about, may yet, or never will. Pure: it looks at states only.
import type { Condition } from './model.js';
import type { ComponentState } from './unit.js';

export interface Seen {
  readonly id: string;
  readonly state: ComponentState;
  /** It has been up in this life. */
  readonly everUp: boolean;
  /** How it ended by itself, when it ran and did. */
  readonly lastExit: object | undefined;
  readonly detail: string | undefined;
}

export type Verdict = 'met' | 'not yet' | { readonly never: string };

/** `replicas` are those of the one component that is waited for. */
export function verdict(condition: Condition, replicas: readonly Seen[]): Verdict {
  const verdicts = replicas.map((one) => judge(condition, one));
  return verdicts.find((one) => typeof one === 'object') ?? (verdicts.every((one) => one === 'met') ? 'met' : 'not yet');
}

function judge(condition: Condition, { id, state, everUp, lastExit, detail }: Seen): Verdict {
  const never = (what: string): Verdict => ({ never: `${id} ${what}` });
  if (state === 'skipped') return never('was skipped');
  if (state === 'completed') return condition === 'healthy' || condition === 'log_ready' ? never('ended before it was healthy') : 'met';
  if (state === 'failed') return condition === 'completed' && (everUp || lastExit !== undefined) ? 'met' : never(detail ?? 'failed');
  if (state === 'stopped' || state === 'stopping') return never('was stopped');
  if (condition === 'started') return everUp ? 'met' : 'not yet';
  if (condition === 'healthy' || condition === 'log_ready') return state === 'healthy' ? 'met' : 'not yet';
  return 'not yet';
}
