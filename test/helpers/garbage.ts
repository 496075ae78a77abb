// Whether something is still held by anybody.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export async function lives(held: WeakRef<object>): Promise<boolean> {
  // A WeakRef that was just made holds its target for the rest of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return held.deref() !== undefined;
}
