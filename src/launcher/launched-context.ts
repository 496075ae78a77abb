// What a launched process needs of its launcher.
import type { Clock } from '../supervisor/clock.js';
import type { CgroupSupport } from '../runtime/cgroups.js';
import type { Slots } from '../runtime/slots.js';
import type { LauncherError } from './errors.js';
import type { LaunchedProcess } from './launched-process.js';
import type { Manifest, Resources } from './manifest.js';
import type { Ports } from './ports.js';
import type { Running, StartRequest } from './running.js';
import type { StateFolder } from './state-folder.js';

export interface LaunchedContext {
  readonly clock: Clock;
  readonly ports: Ports;
  readonly state: StateFolder | undefined;
  /** Executables are to survive this program. */
  readonly survive: boolean;
  /** Since when it must be up for earlier failures to be forgiven, ms. */
  readonly stableAfter: number;
  /** The marks of what runs, so that nobody takes it for an orphan. */
  readonly marks: Set<string>;
  /** How many may start at a time. */
  readonly starts: Slots;
  readonly shuttingDown: () => boolean;
  nextLaunch(): string;
  /** The manifest as it is now, for the next start. */
  manifest(name: string): Manifest | undefined;
  resources(manifest: Manifest): Resources | undefined;
  cgroups(): CgroupSupport;
  start(request: StartRequest): Promise<Running>;
  /** One that was up has ended; `generation` is that in which it was up. */
  died(process: LaunchedProcess, generation: number, error: LauncherError): void;
  /** Its first start has failed, and it is to be known no more. */
  forget(process: LaunchedProcess): void;
  log(line: string): void;
  output(id: string, line: string, stream: 'stdout' | 'stderr'): void;
  onStart(process: LaunchedProcess, tookMs: number): void;
  onStop(process: LaunchedProcess): void;
  onFailure(process: LaunchedProcess): void;
  onRestart(process: LaunchedProcess): void;
  onHealthCheck(pattern: string, ok: boolean): void;
}
