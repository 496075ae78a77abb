// `mimas run pipeline.yaml`: the whole pipeline in the foreground, or in the background with -d.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EngineUnavailableError, InvalidOptionError, PipelineInvalidError } from '../../errors.js';
import { ControlPlane } from '../../pipeline/control-plane.js';
import type { PipelineSpec } from '../../pipeline/model.js';
import { OperationsServer } from '../../pipeline/operations.js';
import type { Orchestrator } from '../../pipeline/orchestrator.js';
import { loadPipeline } from '../../pipeline/parse.js';
import { PipelineRunner } from '../../pipeline/runner.js';
import { parseDuration } from '../../units.js';
import { EXIT, SIGNAL_BASE } from '../exit-codes.js';
import { complain, note } from '../output.js';
import { Narrator, type Style } from '../pipeline/narrator.js';
import { complainOfComponent, exitCodeOfPipeline } from '../pipeline/report.js';
import { LiveTable, statusTable } from '../pipeline/table.js';

export interface RunPipelineFlags {
  orchestrator?: 'process' | 'container' | 'docker';
  plain?: boolean;
  json?: boolean;
  logDir: string;
  detach?: boolean;
  envFile?: string[];
  watch?: boolean;
  /** False: `--no-control-plane`. */
  controlPlane: boolean;
  controlPlanePort?: string;
  controlPlaneAddress?: string;
  heartbeatTtl: string;
  janitorInterval: string;
  /** False: `--no-rewrite-localhost`. */
  rewriteLocalhost: boolean;
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

export async function runPipeline(file: string, flags: RunPipelineFlags): Promise<void> {
  try {
    const load = () => loadPipeline(file, flags.envFile?.length ? { envFiles: flags.envFile } : {});
    const spec = load();
    process.exitCode = flags.detach ? await detach(flags, spec) : await foreground(spec, load, flags);
  } catch (error) {
    if (error instanceof PipelineInvalidError && !flags.json) note(error.message);
    else complain(error, flags.json);
    process.exitCode = error instanceof EngineUnavailableError ? EXIT.unreachable : exitCodeOfPipeline(error);
    process.send?.({ failed: true });
  }
}

async function foreground(spec: PipelineSpec, load: () => PipelineSpec, flags: RunPipelineFlags): Promise<number> {
  const orchestrator = await orchestratorFor(flags.orchestrator ?? spec.driver ?? 'process', flags);
  const controlPlane = flags.controlPlane ? controlPlaneFor(() => runner.spec, flags) : undefined;
  const runner: PipelineRunner = new PipelineRunner(spec, { orchestrator, logDir: resolve(flags.logDir), controlPlane });
  const style: Style = flags.json ? 'json' : flags.plain ? 'plain' : 'full';
  const onTerminal = style === 'full' && process.stdout.isTTY === true;
  const colour = onTerminal && !process.env['NO_COLOR'];
  const table = onTerminal ? new LiveTable(process.stdout, () => statusTable(runner.status(), { colour, width: process.stdout.columns || undefined })) : undefined;
  const narrator = new Narrator({ style, colour, sink: (line) => (table ? table.print(line) : void process.stdout.write(`${line}\n`)) });
  narrator.expect(spec.components.map(({ id }) => id));
  narrator.listen(runner.events);
  const operations = new OperationsServer(runner, { load });
  await operations.listen();
  const stopListening = listenForSignals(runner, narrator);
  const watcher = flags.watch ? await watchFile(spec.file, () => reload(runner, load)) : undefined;
  let refused: unknown;
  try {
    await runner.start();
    process.send?.({ started: true });
  } catch (error) {
    refused = error;
  }
  const { exitCode, failure } = await runner.done;
  watcher?.close();
  await operations.close();
  stopListening();
  table?.close();
  if (refused !== undefined && refused !== failure) throw refused;
  if (failure) complainOfComponent(failure, flags.json);
  if (refused !== undefined) process.send?.({ failed: true });
  return exitCode === 0 ? EXIT.done : EXIT.failed;
}

async function orchestratorFor(type: string, flags: RunPipelineFlags): Promise<Orchestrator> {
  if (type === 'process') return new (await import('../../pipeline/process-orchestrator.js')).ProcessOrchestrator();
  if (type === 'container' || type === 'docker') {
    const { ContainerOrchestrator } = await import('../../pipeline/container-orchestrator.js');
    return new ContainerOrchestrator({ rewriteLocalhost: flags.rewriteLocalhost });
  }
  throw new InvalidOptionError(`unknown orchestrator type: ${type}`, { option: 'orchestrator' });
}

function controlPlaneFor(spec: () => PipelineSpec, { controlPlanePort, controlPlaneAddress, heartbeatTtl, janitorInterval }: RunPipelineFlags): ControlPlane {
  const port = controlPlanePort === undefined ? undefined : Number(controlPlanePort);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new InvalidOptionError(`--control-plane-port: ${controlPlanePort} is not a port`, { option: 'controlPlanePort' });
  return new ControlPlane({
    port,
    elsewhere: port === undefined,
    ...(controlPlaneAddress === undefined ? {} : { hosts: [controlPlaneAddress] }),
    ttl: parseDuration(heartbeatTtl, '--heartbeat-ttl'),
    janitorInterval: parseDuration(janitorInterval, '--janitor-interval'),
    inputsOf: (id) => spec().components.find((one) => one.id === id)?.inputs ?? [],
  });
}

/** The first signal stops in order, the second kills. */
function listenForSignals(runner: PipelineRunner, narrator: Narrator): () => void {
  let asked = false;
  const onSignal = (signal: keyof typeof SIGNALS) => {
    if (asked) {
      void runner.kill().finally(() => process.exit(SIGNAL_BASE + SIGNALS[signal]));
      return;
    }
    asked = true;
    narrator.signal(signal);
    void runner.stop('signal');
  };
  for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal);
  return () => {
    for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
  };
}

async function reload(runner: PipelineRunner, load: () => PipelineSpec): Promise<void> {
  try {
    await runner.reload(load());
  } catch (error) {
    note((error as Error).message);
  }
}

async function watchFile(file: string, onChange: () => Promise<void>): Promise<{ close(): void }> {
  const { Watcher } = await import('../../pipeline/watcher.js');
  const watcher = new Watcher(() => void onChange());
  watcher.watch(file, { paths: [file], ignore: [], debounce: 300 });
  return watcher;
}

/** Starts the same command in a session of its own; resolves when its pipeline is up, or is not going to be. */
async function detach(flags: RunPipelineFlags, spec: PipelineSpec): Promise<number> {
  const folder = resolve(flags.logDir);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, `${spec.name}.mimas.log`);
  const out = openSync(log, 'w', 0o600);
  const args = process.argv.slice(1).filter((arg) => arg !== '-d' && arg !== '--detach');
  const child = spawn(process.execPath, [...process.execArgv, ...args], { detached: true, stdio: ['ignore', out, out, 'ipc'] });
  closeSync(out);
  const started = await new Promise<boolean>((done) => {
    child.on('message', (message: { started?: boolean }) => done(message.started === true));
    child.on('exit', (code) => done(code === 0));
    child.on('error', () => done(false));
  });
  if (!started && child.exitCode === null) await new Promise((done) => child.once('exit', done));
  if (child.connected) child.disconnect();
  child.unref();
  if (started) note(`${spec.name} runs in the background (pid ${child.pid}); mimas ps shows it, mimas down ends it`);
  else note(readFileSync(log, 'utf8').trimEnd());
  return started ? EXIT.done : (child.exitCode ?? EXIT.failed);
}
