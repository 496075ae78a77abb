// What a running pipeline tells. The terminal, `--json`, attached terminals and tests all live on these.
import type { OutputStream } from '../runtime/output.js';
import type { ComponentState } from './unit.js';

export type PipelinePhase = 'starting' | 'started' | 'reloading' | 'stopping' | 'stopped' | 'failed';

export interface PipelineEvents {
  /** `failed`: components that did not come up with the others. */
  pipeline: { name: string; phase: PipelinePhase; reason?: string; exitCode?: number; failed?: string[]; endpoint?: string };
  /** A replica changed its state. `first`: in this life it has not been up before; `check`: what it passed was a health check. */
  component: { id: string; component: string; state: ComponentState; from: ComponentState; first: boolean; check: boolean; pid?: number; detail?: string; restarts: number };
  log: { id: string; stream: OutputStream; line: string };
  /** `warning`: something went wrong that ends nothing. */
  progress: { message: string; warning?: boolean };
}

export const EVENT_NAMES = ['pipeline', 'component', 'log', 'progress'] as const satisfies readonly (keyof PipelineEvents)[];

export interface ReplicaStatus {
  id: string;
  component: string;
  kind: string;
  state: ComponentState;
  detail: string | undefined;
  pid: number | undefined;
  container: string | undefined;
  restarts: number;
  exitCode: number | null | undefined;
  /** Milliseconds since it was started, while it runs. */
  uptime: number | undefined;
  /** Percent of one core, over the last seconds; with all that it has started. */
  cpu: number | undefined;
  /** Resident, bytes; with all that it has started. */
  memory: number | undefined;
  ports: number[];
  /** What the control plane heard of it. */
  registered: string | undefined;
}

export interface PipelineStatus {
  name: string;
  file: string;
  /** Where it was started. */
  cwd: string;
  orchestrator: 'process' | 'container';
  phase: PipelinePhase;
  pid: number;
  endpoint: string | undefined;
  startedAt: string;
  logDir: string | undefined;
  components: ReplicaStatus[];
}
