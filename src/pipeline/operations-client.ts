// The other end of the socket: what `mimas ps`, `logs`, `down` and the rest do.
import { connect } from 'node:net';
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

/** Resolves with the answer, or with nothing when the pipeline hung up after events. @throws what the pipeline answered */
export function ask(pipeline: string, request: Request, onEvent: EventListener = () => {}, signal?: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketOf(pipeline));
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
export async function statusOfPipeline(pipeline: string): Promise<PipelineStatus> {
  const answer = await ask(pipeline, { op: 'status' }, () => {}, AbortSignal.timeout(ANSWER_LIMIT));
  if (answer === undefined) throw new PipelineNotRunningError(`pipeline ${pipeline} does not answer within ${ANSWER_LIMIT / 1000} s`);
  return answer as PipelineStatus;
}
