// A start in miniature, within this thread, over memory: what a start runs is compiled afterwards, and goes into the code cache.
// The first start of a program takes 3 to 5 ms less with it, for the program's own part of the start is compiled as well.
import { Process, processSpecOf, Public } from '../decorators/index.js';
import { Session } from '../rpc/session.js';
import { memoryLinks } from '../transport/memory.js';
import type { bringUp, Instance } from './bring-up.js';
import { Host } from './host.js';
import { constructProcess } from './load-process.js';
import type { StartOrder } from './protocol.js';

const ORDER: StartOrder = { id: '', name: undefined, version: undefined, file: '', dependencies: undefined, generation: 0, transport: 'ipc', address: undefined, token: '', tls: undefined, maxFrame: undefined, latency: undefined, owner: 'main' };

/** Instead of a class from a file: importing one would take longer than all the rest. */
const bringUpActor: typeof bringUp = async (_, enter) => {
  class Actor {
    act(line: string): string {
      return line;
    }
  }
  Public()(Actor.prototype, 'act', Object.getOwnPropertyDescriptor(Actor.prototype, 'act')!);
  Process({ name: 'actor' })(Actor);
  enter('construct');
  const instance = (await constructProcess(Actor, undefined)) as Instance;
  enter('init');
  return { instance, spec: processSpecOf(Actor)! };
};

export async function rehearseStart(): Promise<void> {
  const [owner, inside] = memoryLinks('rehearsal');
  new Host(inside, undefined, () => {}, bringUpActor);
  const session = new Session({ link: owner, self: 'main', peer: 'actor', owned: true, onClosed: () => {}, onHello: () => {}, onDrain: () => {} });
  await session.callReference(0, 'start', [ORDER, () => {}]);
  session.close();
}
