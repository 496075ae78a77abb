// From the options of a process to what the runtime needs to start its next incarnation.
import type { Client } from '../rpc/client.js';
import type { StartOptions } from '../runtime/start.js';
import type { Emitter } from '../supervisor/emitter.js';
import type { ProcessEvents } from '../types.js';
import { addressFor } from './addresses.js';
import { launchOptionsOf } from './launch-options.js';
import type { ResolvedOptions } from './options.js';
import type { ManagedProcessContext } from './process-context.js';

export interface Startable {
  readonly id: string;
  /** What its own sockets ask of those who connect. */
  readonly token: string;
  readonly file: string;
  readonly options: ResolvedOptions;
  readonly client: Client;
  readonly events: Emitter<ProcessEvents>;
}

/** `generation`: counts incarnations in this thread, where a file would otherwise be read once only. */
export async function startOrderOf({ id, token, file, options, client, events }: Startable, context: ManagedProcessContext, generation: number): Promise<Omit<StartOptions, 'signal' | 'onLinkClosed'>> {
  return {
    launch: await context.launch(options.isolation),
    launchOptions: launchOptionsOf(options, (line, stream) => events.emit('log', { line, stream })),
    order: {
      id,
      name: options.name,
      version: options.version,
      file,
      dependencies: options.dependencies,
      generation,
      transport: options.transport,
      address: context.listen ? context.listen.address : options.transport === 'ipc' ? undefined : addressFor(options.transport, options.tls !== undefined, () => context.socketFor(id)),
      token: context.listen?.token ?? token,
      tls: context.listen?.tls ?? options.tls,
      maxFrame: options.maxFrame,
      latency: options.latency,
      owner: context.owner,
    },
    client,
    startupTimeout: options.startupTimeout,
  };
}
