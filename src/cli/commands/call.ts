// `mimas call`: one call to a served process; its result, or the items of its stream, on stdout.
import { CallTimeoutError } from '../../errors.js';
import { createProcessManager } from '../../manager/process-manager.js';
import { remoteTargetOf } from '../../rpc/remote.js';
import type { Remote } from '../../types.js';
import { MAX_TIMEOUT, parseDuration } from '../../units.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { readTls, readToken, type TlsFlags, type TokenFlags } from '../files.js';
import { complain, say, show, toJson } from '../output.js';

export interface CallFlags extends TokenFlags, TlsFlags {
  timeout?: string;
  json?: boolean;
}

export async function call(address: string, method: string, args: string[], flags: CallFlags): Promise<void> {
  const { timeout, json } = flags;
  const print = (value: unknown) => say(json ? toJson(value) : show(value));
  const pm = createProcessManager({ name: 'mimas call' });
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new Error('interrupted'));
  process.once('SIGINT', onSignal);
  let late: NodeJS.Timeout | undefined;
  try {
    let served: Remote<object>;
    try {
      const token = readToken(flags);
      const tls = readTls(flags);
      served = await pm.connect<object>(address, { ...(token === undefined ? {} : { token }), ...(tls === undefined ? {} : { tls }), ...(timeout === undefined ? {} : { timeout }) });
    } catch (error) {
      process.exitCode = exitCodeOf(error);
      throw error;
    }
    const began = performance.now();
    // Not by its proxy, which has no other names: whoever mistypes one here is to hear what there is.
    const result = await remoteTargetOf(served)!.invoke(method, args.map(argument), { signal: interrupt.signal, idempotent: false, whileRestarting: 'fail' });
    if (isStream(result)) {
      // The timeout of a call ends with its answer; who gives one here means all of it.
      const left = parseDuration(timeout ?? Infinity, 'timeout') - (performance.now() - began);
      if (left <= MAX_TIMEOUT) late = setTimeout(() => interrupt.abort(new CallTimeoutError(`${method}(): its stream did not end within ${timeout}`, { method, process: address, timeout: left })), left);
      for await (const item of result) print(item);
    } else if (result !== undefined || json) print(result);
  } catch (error) {
    complain(error, json);
    process.exitCode ??= EXIT.failed;
  } finally {
    process.off('SIGINT', onSignal);
    clearTimeout(late);
    await pm.shutdown();
  }
}

/** JSON where it is JSON, otherwise the text itself: `add 5 3`, `greet World`, `save '{"id":1}'`. */
function argument(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const isStream = (value: unknown): value is AsyncIterable<unknown> => typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
