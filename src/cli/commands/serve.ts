// `mimas serve`: one process, supervised, that other programs may call.
import { createProcessManager } from '../../manager/process-manager.js';
import { isLoopback, parseAddress } from '../../transport/address.js';
import { exitCodeOf } from '../exit-codes.js';
import { readTls, readToken, type TlsFlags, type TokenFlags } from '../files.js';
import { labelOf, narrate, untilDone } from '../foreground.js';
import { complain, event, note, say } from '../output.js';

export interface ServeFlags extends TokenFlags, TlsFlags {
  listen: string;
  isolation: 'worker' | 'child';
  name?: string;
  json?: boolean;
}

export async function serve(file: string, flags: ServeFlags): Promise<void> {
  const { listen, isolation, name, json } = flags;
  const label = labelOf(file, name);
  try {
    const given = readToken(flags);
    const tls = readTls(flags);
    const pm = createProcessManager({ name: 'mimas serve', output: 'capture' });
    // stdout is for the address; what the process prints goes to stderr.
    narrate(pm, label, json, 'stderr');
    const { process: proxy, address, token } = await pm.serve(file, {
      listen,
      isolation,
      ...(given === undefined ? {} : { token: given }),
      ...(tls === undefined ? {} : { tls }),
      ...(name === undefined ? {} : { name }),
    });
    const handle = proxy.$handle;
    // Before anything is said: whoever reads it may send a signal at once.
    const done = untilDone(pm, handle, label, json);
    const { pid, methods, version } = handle;
    // A token that somebody chose is a secret that they know already.
    if (json) event('listening', { name: handle.name, version, address, ...(given === undefined ? { token } : {}), pid, isolation, methods });
    else {
      say(`${handle.name}${version ? ` ${version}` : ''} is served at ${address}`);
      if (given === undefined) say(`token ${token}`);
    }
    warnIfOpen(address);
    process.exitCode = await done;
  } catch (error) {
    complain(error, json);
    process.exitCode = exitCodeOf(error);
  }
}

function warnIfOpen(address: string): void {
  const parsed = parseAddress(address);
  if ((parsed.kind === 'tcp' || parsed.kind === 'ws') && !isLoopback(parsed.host)) note(`warning: ${address} is not encrypted; tls:// and wss:// are`);
}
