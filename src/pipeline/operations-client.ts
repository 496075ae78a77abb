// The other end of the socket: what `mimas ps`, `logs`, `down` and the rest do.
import { existsSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { closest, MimasError, PipelineNotRunningError, type ErrorCode } from '../errors.js';
import type { PipelineEvents, PipelineStatus } from './events.js';
import type { Reply, Request } from './operations.js';
import { runningPipelines, socketOf } from './runtime-folder.js';

/** ms */
const ANSWER_LIMIT = 5000;

export type EventListener = (name: keyof PipelineEvents, detail: PipelineEvents[keyof PipelineEvents]) => void;

/** The pipeline that is meant: the one that is named, or the only one that runs. @throws PipelineNotRunningError */
export async function choosePipeline(name: string | undefined): Promise<string> {
  const running = await runningPipelines();
  if (name === undefined) {
    if (running.length === 1) return running[0]!;
    throw new PipelineNotRunningError(running.length === 0 ? 'no pipeline runs here' : `several pipelines run here: ${running.join(', ')}; name one with --pipeline`);
  }
  if (running.includes(name)) return name;
  const suggestion = closest(name, running);
  throw new PipelineNotRunningError(`no pipeline called ${name} runs here${suggestion ? `; did you mean '${suggestion}'?` : ''}`);
}

/**
 * The same for whoever changes something. In a folder that has a pipeline file of its own in the place of that of the running one, as
 * another checkout has, the running one is another's. `folder` says that it is meant all the same. @throws PipelineNotRunningError
 */
export async function chooseOwnPipeline(name: string | undefined, folder: string | undefined, cwd = process.cwd()): Promise<string> {
  const chosen = await choosePipeline(name);
  const { file, cwd: theirs } = await statusOfPipeline(chosen);
  if (folder !== undefined) {
    if (realPath(resolve(cwd, folder)) === realPath(dirname(file))) return chosen;
    throw new PipelineNotRunningError(`the pipeline ${chosen} that runs is that of ${dirname(file)}, not of ${folder}`);
  }
  const twins = [resolve(cwd, relative(theirs, file)), resolve(cwd, basename(file))];
  const twin = twins.some((path) => realPath(path) === realPath(file)) ? undefined : twins.find((path) => existsSync(path));
  if (twin === undefined) return chosen;
  throw new PipelineNotRunningError(`the pipeline ${chosen} that runs is that of another folder, ${dirname(file)}; the one of this folder (${twin}) does not run. Go there, or give --folder ${dirname(file)}`);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Resolves with the answer, or with nothing when the pipeline hung up after events. @throws what the pipeline answered */
export const ask = (pipeline: string, request: Request, onEvent: EventListener = () => {}, signal?: AbortSignal): Promise<unknown> => askAt(socketOf(pipeline), pipeline, request, { onEvent, signal });

function askAt(path: string, pipeline: string, request: Request, { onEvent = () => {}, signal }: { onEvent?: EventListener | undefined; signal?: AbortSignal | undefined }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer: unknown;
    signal?.addEventListener('abort', () => (socket.destroy(), resolve(answer)), { once: true });
    socket.on('error', (error) => reject(new PipelineNotRunningError(`pipeline ${pipeline} does not answer: ${error.message}`, { cause: error })));
    socket.write(`${JSON.stringify(request)}\n`);
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      const reply = JSON.parse(line) as Reply;
      if ('event' in reply) onEvent(reply.event, reply.detail as never);
      else if (reply.ok) answer = reply.value;
      else reject(new MimasError((reply.error.code ?? 'PIPELINE_NOT_RUNNING') as ErrorCode, reply.error.message));
    });
    lines.on('error', () => {});
    // After the last line, not with the socket: lines may still wait to be read.
    lines.on('close', () => resolve(answer));
  });
}

/** @throws PipelineNotRunningError also when it does not answer in time: stopped, or too busy */
export const statusOfPipeline = (pipeline: string): Promise<PipelineStatus> => statusAt(socketOf(pipeline), pipeline);

/** @throws PipelineNotRunningError */
export async function statusAt(path: string, pipeline = path): Promise<PipelineStatus> {
  const answer = await askAt(path, pipeline, { op: 'status' }, { signal: AbortSignal.timeout(ANSWER_LIMIT) });
  if (answer === undefined) throw new PipelineNotRunningError(`pipeline ${pipeline} does not answer within ${ANSWER_LIMIT / 1000} s`);
  return answer as PipelineStatus;
}
