// `mimas ps`, `logs`, `stop`, `restart`, `scale`, `up`, `down` and `attach`: operations on a pipeline that runs.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PipelineEvents, PipelineStatus } from '../../pipeline/events.js';
import { ask, chooseOwnPipeline, choosePipeline, statusOfPipeline } from '../../pipeline/operations-client.js';
import type { Request } from '../../pipeline/operations.js';
import { readPipeline } from '../../pipeline/parse.js';
import type { Changes } from '../../pipeline/runner.js';
import { runningPipelines } from '../../pipeline/runtime-folder.js';
import { InvalidOptionError, PipelineNotRunningError } from '../../errors.js';
import { printable } from '../../printable.js';
import { EXIT } from '../exit-codes.js';
import { complain, inColour, note, onHangUp, say } from '../output.js';
import { Narrator } from '../pipeline/narrator.js';
import { exitCodeOfPipeline } from '../pipeline/report.js';
import { statusTable } from '../pipeline/table.js';

export interface OperationFlags { pipeline?: string; folder?: string; json?: boolean }
export interface LogsFlags extends OperationFlags { follow?: boolean; tail: string }

/** Who follows a log learns that there is nothing in it so far, ms. */
const QUIET_MS = 1_000;

async function guarded(json: boolean | undefined, work: () => Promise<void>): Promise<void> {
  // `mimas logs -f | head` is no error.
  onHangUp(() => process.exit(EXIT.done));
  try {
    await work();
  } catch (error) {
    complain(error, json);
    process.exitCode = exitCodeOfPipeline(error);
  }
}

function show(status: PipelineStatus, json: boolean | undefined): void {
  if (json) return say(JSON.stringify(status));
  const folder = dirname(status.file);
  say(printable(`${status.name} (${status.orchestrator}, pid ${status.pid}): ${status.phase}${status.endpoint ? `, control plane at ${status.endpoint}` : ''}${folder === process.cwd() ? '' : `, in ${folder}`}`));
  for (const row of statusTable(status, { colour: inColour() })) say(row);
}

export const ps = ({ pipeline, json }: OperationFlags) => guarded(json, async () => {
  const names = pipeline === undefined ? await runningPipelines() : [await choosePipeline(pipeline)];
  if (names.length === 0 && !json) note('no pipeline runs here');
  // One that does not answer hides none of the others.
  for (const answer of await Promise.allSettled(names.map(statusOfPipeline))) {
    if (answer.status === 'fulfilled') show(answer.value, json);
    else {
      complain(answer.reason, json);
      process.exitCode = exitCodeOfPipeline(answer.reason);
    }
  }
});

/** Operations that are answered with the new state. */
const operate = (request: Request, { pipeline, folder, json }: OperationFlags) => guarded(json, async () => {
  const name = await chooseOwnPipeline(pipeline, folder);
  let answer = await ask(name, request);
  if (request.op === 'scale') {
    const { failed } = answer as Changes;
    for (const message of failed) note(`mimas: ${message}`);
    if (failed.length > 0) process.exitCode = EXIT.failed;
    answer = await statusOfPipeline(name);
  }
  if (request.op === 'reload') {
    const { added, removed, changed, failed } = answer as Changes;
    if (failed.length > 0) process.exitCode = EXIT.failed;
    if (json) return say(JSON.stringify(answer));
    for (const message of failed) note(`mimas: ${message}`);
    const parts = Object.entries({ added, removed, changed }).flatMap(([what, ids]) => (ids.length > 0 ? [`${what} ${ids.join(', ')}`] : []));
    return say(parts.length > 0 ? printable(parts.join('; ')) : 'nothing has changed');
  }
  show(answer as PipelineStatus, json);
});

export const stop = (id: string, flags: OperationFlags) => operate({ op: 'stop', id }, flags);
export const restart = (id: string, flags: OperationFlags) => operate({ op: 'restart', id }, flags);
/** Takes over the file of the pipeline that runs; where none does, starts that of this folder in the background. */
export async function up(file: string | undefined, flags: OperationFlags): Promise<void> {
  const own = file ?? PIPELINE_FILES.find((name) => existsSync(name));
  const running = await runningPipelines().catch((): string[] => []);
  const name = own === undefined ? undefined : readPipeline(own).pipeline?.name;
  const wanted = flags.pipeline ?? name;
  const runs = wanted === undefined ? running.length > 0 : running.includes(wanted);
  if (runs || own === undefined || (flags.pipeline !== undefined && flags.pipeline !== name)) return operate({ op: 'reload' }, { ...flags, ...(wanted !== undefined && { pipeline: wanted }) });
  const { startInBackground } = await import('./run-pipeline.js');
  return startInBackground(own, flags);
}

/** flowctl's name as well. */
const PIPELINE_FILES = ['pipeline.yaml', 'pipeline.yml', 'flow.yml', 'flow.yaml'];

export function scale(id: string, replicas: string, flags: OperationFlags): Promise<void> {
  const count = Number(replicas);
  if (Number.isInteger(count) && count >= 0) return operate({ op: 'scale', id, replicas: count }, flags);
  note(`mimas: ${replicas} is not a number of replicas`);
  process.exitCode = EXIT.usage;
  return Promise.resolve();
}

export const logs = (id: string | undefined, { pipeline, json, follow, tail }: LogsFlags) => guarded(json, async () => {
  const lines = Number(tail);
  if (!Number.isInteger(lines) || lines < 0) throw new InvalidOptionError(`--tail: ${tail} is not a number of lines`, { option: '--tail' });
  const name = await choosePipeline(pipeline);
  const narrator = new Narrator({ style: json ? 'json' : 'full', sink: say, colour: inColour() });
  narrator.expect((await statusOfPipeline(name)).components.map((one) => one.id));
  let printed = 0;
  const nothing = () => printed === 0 && lines > 0 && note(`${id ?? name} has printed nothing yet`);
  const soon = follow && !json ? setTimeout(nothing, QUIET_MS).unref() : undefined;
  await ask(name, { op: 'logs', id, follow, tail: lines }, (event, detail) => {
    printed++;
    narrator.tell(event, detail);
  }, untilInterrupted());
  clearTimeout(soon);
  if (!follow && !json) nothing();
});

export const attach = ({ pipeline, json }: OperationFlags) => guarded(json, async () => {
  const name = await choosePipeline(pipeline);
  const status = await statusOfPipeline(name);
  show(status, json);
  const narrator = new Narrator({ style: json ? 'json' : 'full', sink: say, colour: inColour() });
  narrator.expect(status.components.map((one) => one.id));
  if (!json) note('attached; Ctrl+C leaves it running');
  await ask(name, { op: 'attach' }, (event, detail) => narrator.tell(event, detail), untilInterrupted());
});

export const down = (name: string | undefined, { pipeline, folder, json, kill }: OperationFlags & { kill?: boolean }) => guarded(json, async () => {
  const chosen = await chooseOwnPipeline(name ?? pipeline, folder);
  const narrator = new Narrator({ style: json ? 'json' : 'plain', sink: say, colour: false });
  let ended: PipelineEvents['pipeline'] | undefined;
  await ask(chosen, { op: 'down', kill }, (event, detail) => {
    narrator.tell(event, detail);
    if (event === 'pipeline') ended = detail as PipelineEvents['pipeline'];
  });
  if (ended?.phase === 'failed' && !json) note(`mimas: ${chosen} is down; its exit code is ${ended.exitCode}, because components had failed`);
  if (ended?.phase !== 'stopped' && ended?.phase !== 'failed') throw new PipelineNotRunningError(`${chosen} hung up before it was down`);
});

/** The first Ctrl+C hangs up. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());
  return controller.signal;
}
