// How the tests order a part of the suite: its findings are what must not be there.
import type { Finding } from './against-served.js';
import { carryOut, type Order } from './suite.js';
import type { Stage } from './victim.js';
import { onStage } from './stage.js';

/** Findings, as lines to be read. */
export async function findingsOf(stage: Stage, order: Order): Promise<string[]> {
  const found: string[] = [];
  const done = await carryOut(stage, order, ({ name, what }: Finding) => found.push(`${name}: ${what}`));
  if (found.length > 0) found.push(`(${order.transport}, ${order.direction}, ${order.part}: ${done})`);
  return found;
}

/** A stage for the tests of a file: made at first use, struck by `strike`. */
export function sharedStage(): { get(): Promise<Stage>; strike(): Promise<void> } {
  let stage: Promise<Stage> | undefined;
  let strike = () => {};
  let struck: Promise<void> = Promise.resolve();
  return {
    get: () =>
      (stage ??= new Promise((resolve, reject) => {
        struck = onStage((made) => new Promise<void>((done) => {
          strike = done;
          resolve(made);
        }));
        struck.catch(reject);
      })),
    strike: () => {
      strike();
      return struck;
    },
  };
}
