// Worlds whose processes are sessions in this thread, at the other end of real links: both sides of every table are in reach.
import { Client } from '#mimas/rpc/client.js';
import { createRemote } from '#mimas/rpc/remote.js';
import { Service } from '#mimas/rpc/service.js';
import { Session } from '#mimas/rpc/session.js';
import { processSpecOf } from '#mimas/decorators/index.js';
import { pairOf, type Kind } from '../contract/links.js';
import Interleaving from '../fixtures/processes/interleaving.process.js';
import { lives } from '../helpers/garbage.js';
import type { Proxy } from './operation.js';
import { named, nonZero, type Cell, type Leftovers, type World } from './world.js';

interface End { readonly proxy: Proxy; left(): Promise<Leftovers>; lent(): number; close(): Promise<void> }

async function endOf(kind: Kind, name: string, maxInFlight: number | undefined): Promise<End> {
  const { left: near, right: far, end } = await pairOf(kind);
  const client = new Client({ name, id: name, describe: name, level: near.level, maxInFlight });
  const service = new Service(name, new Interleaving(), processSpecOf(Interleaving)!.methods.values());
  const serving = new Session({ link: far, service, self: name, peer: 'test' });
  const session = await new Promise<Session>((resolve) => {
    const made: Session = new Session({ link: near, self: 'test', peer: name, onHello: (methods) => (client.describeMethods(methods), resolve(made)) });
  });
  client.attach(session);
  const proxy = createRemote(client) as Proxy;
  return {
    proxy,
    async left() {
      const { open, kept, wrong } = await proxy.left();
      const counts = nonZero({
        inFlight: client.inFlight, queued: client.queued,
        pending: session.pending, live: session.live.size, serving: session.dispatcher.active,
        // This look itself is over by now.
        pendingThere: serving.pending, liveThere: serving.live.size, servingThere: serving.dispatcher.active,
      });
      return { ...counts, ...(open.length + kept.length + wrong.length > 0 ? { open, kept, wrong } : {}) };
    },
    lent: () => session.exports.size + serving.exports.size,
    async close() {
      session.close();
      serving.close();
      await end();
    },
  };
}

export const pair = (kind: Kind, runs: number, maxInFlight?: number): Cell => ({
  name: `two sessions over a ${kind} link${maxInFlight === undefined ? '' : `, ${maxInFlight} calls at once`}`,
  runs,
  few: maxInFlight !== undefined,
  async make(): Promise<World> {
    const [calc, other] = await Promise.all([endOf(kind, 'calc', maxInFlight), endOf(kind, 'other', maxInFlight)]);
    const left = async () => ({ ...named('calc', await calc.left()), ...named('other', await other.left()) });
    return {
      calc: calc.proxy,
      other: other.proxy,
      pin: () => calc.proxy,
      left,
      async collected() {
        await lives(new WeakRef({}));
        await Promise.all([calc.proxy.turn(), other.proxy.turn()]);
        return { ...(await left()), ...nonZero({ lent: calc.lent() + other.lent() }) };
      },
      async end() {
        await Promise.all([calc.close(), other.close()]);
      },
    };
  },
});
