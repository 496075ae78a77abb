// The caller's side of a managed process: its client, and the links of calls that its incarnations bring, lose and leave behind.
import { LinkClosedError } from '../errors.js';
import { Client } from '../rpc/client.js';
import type { Session } from '../rpc/session.js';
import { openCalls, type RunningProcess, type StartOptions } from '../runtime/start.js';
import { within } from '../runtime/within.js';
import type { ManagedProcess } from './managed-process.js';

/** Longest wait for a lost link of calls to be opened again, ms. */
const REOPEN_MS = 10_000;

export function clientOf(process: ManagedProcess): Client {
  const { id, meter, options } = process;
  return new Client({
    get name() {
      return process.name;
    },
    get describe() {
      return `${process.name} (${options.isolation})`;
    },
    id,
    level: options.transport === 'ipc' && options.isolation !== 'child' ? 'objects' : 'bytes',
    meter: options.metrics ? meter : undefined,
    timeout: options.timeout,
    queueTimeout: options.queueTimeout,
    maxQueue: options.maxQueue,
    maxFrame: options.maxFrame,
    tracing: options.tracing,
    handle: () => process,
    onSuspect: (call) => void process.probe(call.label),
    onRefused: () => process.down.revive?.() ?? false,
    onHeld: (held) => process.own.emit('held', held),
  });
}

/** A new link for the calls of a process that lives on, in place of one that was lost; undefined when it does not take calls any more. */
export async function relink(client: Client, { calls, control, started }: RunningProcess, options: StartOptions, lost: (method: string) => Error): Promise<Session | undefined> {
  if (calls === control || control.closed) return undefined;
  client.detach(calls, lost, 'the link to come back');
  const opening = openCalls(started, options);
  if (await within(opening, REOPEN_MS).catch(() => false)) return opening;
  opening.then((late) => late.close(), () => {});
  return undefined;
}

/** A thread that is stuck does not close its sockets. */
export function cutWhenAbandoned({ incarnation, calls, started }: RunningProcess): void {
  void incarnation.abandoned?.then((why) => calls.close(new LinkClosedError(`${started.name}: ${why}`, { process: started.name })));
}
