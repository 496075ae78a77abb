// The inside of a thread of a CPU pool: what Piscina calls there. A plain JavaScript file once compiled; a TypeScript process
// file is loaded by it as by any other host. Invariant: nothing but a decorated method can be called, and by number only.
import { threadId } from 'node:worker_threads';
import type { ProcessSpec } from '../../decorators/index.js';
import { MethodNotFoundError, type StartPhase } from '../../errors.js';
import { Tag } from '../../rpc/codec.js';
import { CallContext, runInContext } from '../../rpc/context.js';
import { describeService, readService, Service } from '../../rpc/service.js';
import { nameMethod } from '../../rpc/uncloneable.js';
import { transferOf } from '../../rpc/transfer.js';
import { bringUp, runShutdownHooks, type Instance } from '../../runtime/bring-up.js';
import { runHealthChecks } from '../../runtime/health-checks.js';
import { MemoryGuard } from '../../runtime/memory-guard.js';
import { readUsage } from '../../runtime/usage.js';
import { Pacer } from '../../transport/pacer.js';
import { THREAD } from './patience.js';
import { FAILED, newCodec, pack, PHASES, type BootOrder, type Booted, type CallTask, type Packed, type Primitive, type Reply, type StopTask } from './protocol.js';

const codec = newCodec();
let service: Service | undefined;
let instance: Instance = {};
let spec: ProcessSpec | undefined;
let caller = '';
let guard: MemoryGuard | undefined;

export async function boot(order: BootOrder): Promise<Booted | Packed> {
  const { file, progress } = order;
  const enter = (phase: StartPhase) => void Atomics.store(progress, 0, PHASES.indexOf(phase));
  Atomics.store(progress, 1, threadId);
  if (order.sourceMaps) process.setSourceMapsEnabled(true);
  if (order.memory) guard = new MemoryGuard(order.memory);
  try {
    const dependencies = codec.decode(...order.dependencies);
    ({ instance, spec } = await bringUp({ file, dependencies, version: 0 }, enter));
    enter('ready');
    caller = order.caller;
    service = new Service(order.name ?? spec.name, instance, spec.methods.values());
    const intervals = spec.healthChecks.flatMap(({ interval }) => (interval === undefined ? [] : [interval]));
    return { name: service.name, version: spec.version, methods: readService(describeService(service)), withheld: service.withheld, healthInterval: intervals.length > 0 ? Math.min(...intervals) : undefined, usage: readUsage() };
  } catch (error) {
    return failure(error);
  }
}

/** While calls follow each other closely, the next one comes sooner than a sleeping thread wakes up. */
const pacer = new Pacer(THREAD, undefined);

// Not async: a method that computes and returns needs no promise.
export function call(task: CallTask): Reply | Promise<Reply> {
  pacer.arrived();
  const reply = answer(task);
  pacer.sent();
  return guard ? guarded(reply, guard) : reply;
}

/** Who holds too much is about to end, and answers nobody. */
async function guarded(reply: Reply | Promise<Reply>, memory: MemoryGuard): Promise<Reply> {
  const done = await reply;
  return memory.allows() ? done : new Promise<never>(() => {});
}

function answer(task: CallTask): Reply | Promise<Reply> {
  const [number] = task;
  const method = service?.methods[number];
  try {
    if (!method) throw new MethodNotFoundError(`there is no method number ${number}`, { method: String(number) });
    // The message was a copy of our own: what went as it is, can be used as it is.
    const result = task.length === 2 ? runInContext(new CallContext(service!.name, method.name, caller, undefined), method.invoke, task[1]) : runInContext(contextOf(method.name, task), method.invoke, argsOf(task));
    if (result !== null && typeof result === 'object' && typeof (result as PromiseLike<unknown>).then === 'function') {
      return Promise.resolve(result as PromiseLike<unknown>).then((value) => success(value, method.name), failure);
    }
    return success(result, method.name);
  } catch (error) {
    return failure(error);
  }
}

type LongTask = Exclude<CallTask, [number, unknown[]]>;

function contextOf(method: string, [, , , , timeLeft, headers]: LongTask): CallContext {
  const deadline = timeLeft === undefined ? undefined : Date.now() + timeLeft;
  return new CallContext(service!.name, method, headers?.['mimas-caller'] ?? caller, deadline, headers);
}

const argsOf = ([, tag, payload, attachments]: LongTask): unknown[] => (tag === Tag.INLINE ? payload : codec.decode(tag, payload, attachments)) as unknown[];

function success(value: unknown, method: string): Reply | Promise<Reply> {
  if (isPrimitive(value)) return value;
  try {
    const transfer = transferOf(value);
    const encoded = codec.encode(value, transfer ? { standalone: true, root: 'result', transfer } : STANDALONE);
    const moved = encoded.transfer;
    return moved && moved.length > 0 ? moving(pack(encoded), moved) : pack(encoded);
  } catch (error) {
    return failure(nameMethod(error, service!.name, method));
  }
}

const isPrimitive = (value: unknown): value is Primitive => value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol');

const STANDALONE = { standalone: true, root: 'result' } as const;

/** Piscina moves what stands under its symbols. Few results do, so it is loaded by those only. */
async function moving(reply: Packed, transfer: readonly unknown[]): Promise<Reply> {
  const { move, transferableSymbol, valueSymbol } = await import('piscina');
  return move({ [transferableSymbol]: transfer, [valueSymbol]: reply } as never) as unknown as Reply;
}

function failure(error: unknown): Packed {
  let packed: Packed;
  try {
    packed = pack(codec.encode(error, { standalone: true, root: 'error' }));
  } catch (uncloneable) {
    packed = pack(codec.encode(uncloneable, { standalone: true, root: 'error' }));
  }
  packed[0] += FAILED;
  return packed;
}

export const health = (timeout: number) => runHealthChecks(instance, spec?.healthChecks ?? [], timeout);

export const usage = () => readUsage();

export const stop = ({ reason, hooks }: StopTask) => runShutdownHooks(instance, spec?.shutdownHooks ?? [], { reason, signal: undefined }, hooks);
