// `mimas run pipeline.yaml`: the whole pipeline in the foreground, or in the background with -d.
import { resolve } from 'node:path';
import { EngineUnavailableError, InvalidOptionError, PackageMissingError, PipelineInvalidError } from '../../errors.js';
import { ControlPlane, requireGrpc } from '../../pipeline/control-plane.js';
import type { Audience } from '../../pipeline/control-plane-access.js';
import type { PipelineSpec } from '../../pipeline/model.js';
import { OperationsServer } from '../../pipeline/operations.js';
import { loadPipeline } from '../../pipeline/parse.js';
import { PipelineRunner } from '../../pipeline/runner.js';
import { runningPipelines } from '../../pipeline/runtime-folder.js';
import { Watcher } from '../../pipeline/watcher.js';
import { parseDuration } from '../../units.js';
import { EXIT, SIGNAL_BASE, STOP_SIGNALS, type StopSignal } from '../exit-codes.js';
import { complain, inColour, note, onHangUp } from '../output.js';
import { detach, tellParent } from '../pipeline/detach.js';
import { Narrator, type Style } from '../pipeline/narrator.js';
import { orchestratorFor } from '../pipeline/orchestrators.js';
import { complainOfComponent, exitCodeOfPipeline } from '../pipeline/report.js';
import { LiveTable, statusTable } from '../pipeline/table.js';

const DEFAULT_LOG_DIR = 'logs';

export interface RunPipelineFlags {
  orchestrator?: 'process' | 'container' | 'docker';
  plain?: boolean;
  json?: boolean;
  logDir: string;
  detach?: boolean;
  /** This is what `--detach` has started: what components print goes to their logs alone. */
  detached?: boolean;
  envFile?: string[];
  watch?: boolean;
  /** False: `--no-control-plane`. */
  controlPlane: boolean;
  controlPlanePort?: string;
  controlPlaneAddress?: string;
  controlPlaneRegister: Audience;
  controlPlaneRead: Audience;
  heartbeatTtl: string;
  janitorInterval: string;
  /** False: `--no-rewrite-localhost`. */
  rewriteLocalhost: boolean;
}

export async function runPipeline(file: string, flags: RunPipelineFlags): Promise<void> {
  try {
    const load = () => loadPipeline(file, flags.envFile?.length ? { envFiles: flags.envFile } : {});
    const spec = load();
    process.exitCode = flags.detach ? await detach(spec.name, resolve(flags.logDir), flags.json) : await foreground(spec, load, flags);
  } catch (error) {
    if (error instanceof PipelineInvalidError && !flags.json) note(error.message);
    else complain(error, flags.json);
    process.exitCode = error instanceof EngineUnavailableError ? EXIT.unreachable : exitCodeOfPipeline(error);
    tellParent('failed');
  }
}

/** As `mimas run <file> -d` does, with the defaults of all other options. */
export async function startInBackground(file: string, { json }: { json?: boolean }): Promise<void> {
  try {
    const spec = loadPipeline(file);
    process.exitCode = await detach(spec.name, resolve(DEFAULT_LOG_DIR), json, [process.argv[1]!, 'run', file, ...(json ? ['--json'] : [])]);
  } catch (error) {
    if (error instanceof PipelineInvalidError && !json) note(error.message);
    else complain(error, json);
    process.exitCode = exitCodeOfPipeline(error);
  }
}

async function foreground(spec: PipelineSpec, load: () => PipelineSpec, flags: RunPipelineFlags): Promise<number> {
  const orchestrator = await orchestratorFor(flags.orchestrator ?? spec.driver ?? 'process', { rewriteLocalhost: flags.rewriteLocalhost });
  const controlPlane = flags.controlPlane && (await canServe(flags)) ? controlPlaneFor(() => runner.spec, flags) : undefined;
  const runner: PipelineRunner = new PipelineRunner(spec, { orchestrator, logDir: resolve(flags.logDir), controlPlane });
  const style: Style = flags.json ? 'json' : flags.plain ? 'plain' : 'full';
  const onTerminal = style === 'full' && process.stdout.isTTY === true;
  const colour = onTerminal && inColour();
  const table = onTerminal && process.env['TERM'] !== 'dumb' ? new LiveTable(process.stdout, () => runner.measure(), (status) => statusTable(status, { colour, width: process.stdout.columns || undefined }), () => runner.status()) : undefined;
  const narrator = new Narrator({ style, colour, lines: !flags.detached, sink: (line) => (table ? table.print(line) : void process.stdout.write(`${line}\n`)) });
  narrator.expect(spec.components.map(({ id }) => id));
  narrator.listen(runner.events);
  const operations = new OperationsServer(runner, { load });
  await operations.listen();
  // Sockets that killed ones have left are cleared away with the look.
  void runningPipelines().catch(() => {});
  const stopListening = listenForSignals(runner, narrator);
  // Nobody reads any more: as with other programs in a pipe, that is the end, but an orderly one.
  onHangUp(() => void runner.stop('nobody reads the output'));
  const watcher = flags.watch ? watchFile(spec.file, () => reload(runner, load)) : undefined;
  let refused: unknown;
  try {
    await runner.start();
    tellParent('started');
  } catch (error) {
    refused = error;
  }
  const { exitCode, failure, left } = await runner.done;
  watcher?.close();
  await operations.close();
  stopListening();
  table?.close();
  if (refused !== undefined && refused !== failure) throw refused;
  if (failure) complainOfComponent(failure, flags.json);
  if (left) complain(left, flags.json);
  if (refused !== undefined) tellParent('failed');
  return exitCode === 0 ? EXIT.done : EXIT.failed;
}

/** By itself a control plane is there where gRPC is; where somebody asked for it, it must be. */
async function canServe({ controlPlanePort, controlPlaneAddress, controlPlaneRegister, controlPlaneRead }: RunPipelineFlags): Promise<boolean> {
  const asked = controlPlanePort !== undefined || controlPlaneAddress !== undefined || controlPlaneRegister !== 'components' || controlPlaneRead !== 'components';
  try {
    await requireGrpc();
    return true;
  } catch (error) {
    if (asked || !(error instanceof PackageMissingError)) throw error;
    note(`running without a control plane: ${error.message} (--no-control-plane leaves out this line)`);
    return false;
  }
}

function controlPlaneFor(spec: () => PipelineSpec, { controlPlanePort, controlPlaneAddress, controlPlaneRegister, controlPlaneRead, heartbeatTtl, janitorInterval }: RunPipelineFlags): ControlPlane {
  const port = controlPlanePort === undefined ? undefined : Number(controlPlanePort);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new InvalidOptionError(`--control-plane-port: ${controlPlanePort} is not a port`, { option: 'controlPlanePort' });
  if (controlPlaneRegister === 'anyone') note('warning: --control-plane-register anyone: whoever reaches the control plane, every user of this machine too, can register under any id');
  return new ControlPlane({
    port,
    register: controlPlaneRegister,
    read: controlPlaneRead,
    elsewhere: port === undefined,
    ...(controlPlaneAddress === undefined ? {} : { hosts: [controlPlaneAddress] }),
    ttl: parseDuration(heartbeatTtl, '--heartbeat-ttl'),
    janitorInterval: parseDuration(janitorInterval, '--janitor-interval'),
    inputsOf: (id) => spec().components.find((one) => one.id === id)?.inputs ?? [],
  });
}

/** The first signal stops in order, the second kills, the third waits for nothing. */
function listenForSignals(runner: PipelineRunner, narrator: Narrator): () => void {
  let asked = 0;
  const onSignal = (signal: StopSignal) => {
    const exit = () => process.exit(SIGNAL_BASE + STOP_SIGNALS[signal]);
    // Even the killing may hang, on an engine that does not answer, say. Guardians end what is left then.
    if (++asked > 2) exit();
    if (asked === 2) return void runner.kill().finally(exit);
    narrator.signal(signal);
    void runner.stop('signal');
  };
  for (const signal of Object.keys(STOP_SIGNALS)) process.on(signal, onSignal);
  return () => {
    for (const signal of Object.keys(STOP_SIGNALS)) process.off(signal, onSignal);
  };
}

async function reload(runner: PipelineRunner, load: () => PipelineSpec): Promise<void> {
  try {
    const { failed } = await runner.reload(load());
    for (const message of failed) note(message);
  } catch (error) {
    note((error as Error).message);
  }
}

function watchFile(file: string, onChange: () => Promise<void>): Watcher {
  const watcher = new Watcher({ onChange: () => void onChange() });
  watcher.watch(file, { paths: [file], ignore: [], debounce: 300 });
  return watcher;
}
