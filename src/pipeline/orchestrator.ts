// What the runner needs of the place where components run. A process and a container are started, reached and stopped alike.
import type { LineListener } from '../runtime/output.js';
import type { Component, PipelineSpec } from './model.js';

/** One replica of a component. */
export interface Replica {
  /** The component's id, or with a number behind it. */
  readonly id: string;
  readonly index: number;
  readonly component: Component;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why, where more is known: out of memory, say. */
  readonly reason?: string;
}

export interface Usage { readonly cpu: number; readonly memory: number }

export interface StopSteps {
  /** Time to end by itself, ms; 0 kills at once. */
  readonly grace: number;
  /** Cuts the grace short. */
  readonly hurry: AbortSignal;
}

export interface Running {
  readonly pid: number | undefined;
  readonly container?: string;
  /** Resolves when the program has ended. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Where this machine reaches a port of the component; `localhost` is wherever it may listen on this machine. */
  reach(port: number): { readonly host: string; readonly port: number };
  /** What it uses with all that it has started: CPU time so far, ms, and resident memory, bytes. Undefined where nobody can tell. */
  usage(): Promise<Usage | undefined>;
  /** Runs a command beside the component; resolves with its exit code. */
  exec(command: readonly string[], signal: AbortSignal): Promise<number>;
  /** Says that another program, which the component has not started, listens on a port of this machine that is to be the component's. */
  foreign?(port: number): string | undefined;
  /** For components that can say how they are. Rejects, with the reason, when not well. */
  health?(): Promise<void>;
  /** Resolves when nothing of it is left. */
  stop(steps: StopSteps): Promise<void>;
  /** After its exit: clears away whom it left behind. */
  gone(): Promise<void>;
}

export interface Refusal {
  /** Relative to the component, such as `resources.memory`; an empty text is the component itself. */
  readonly field: string;
  readonly message: string;
}

export interface Launch {
  readonly replica: Replica;
  /** The component's own variables and those that Mimas adds. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onLine: LineListener;
}

export interface ControlPlanePlace {
  readonly listen: readonly string[];
  /** The host by which components reach it. */
  readonly tell: string;
}

export interface Preparation {
  readonly signal: AbortSignal;
  onProgress(message: string): void;
}

export interface Orchestrator {
  readonly type: 'process' | 'container';
  /** What of this component cannot be done here, each with the field that says it; none when it can run. */
  refusals(component: Component): readonly Refusal[];
  /** Before the first start: whatever all components need. Called again, before a reload, with the new pipeline. */
  prepare(pipeline: PipelineSpec, preparation: Preparation): Promise<void>;
  /** Where the control plane listens, unless somebody says otherwise. */
  controlPlane(): ControlPlanePlace;
  start(launch: Launch): Promise<Running>;
  /** Resolves when nothing of this orchestrator is left on the machine. */
  close(): Promise<void>;
}
