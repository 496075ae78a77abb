// The types of a pool: the methods of its class, and control of the pool under `$handle`.
import type { PoolHandle, RemotePool } from 'mimas';

class Images {
  resize(data: Uint8Array, width: number): Uint8Array {
    return data.subarray(width);
  }
  async *lines(text: string): AsyncGenerator<string> {
    yield text;
  }
  field = 1;
}

declare const pool: RemotePool<Images>;
const resized: Promise<Uint8Array> = pool.resize(new Uint8Array(1), 2);
const same: Promise<Uint8Array> = pool['resize'](new Uint8Array(1), 2);
const handle: PoolHandle = pool.$handle;
const withKey: RemotePool<Images> = pool.$with({ key: 'a' });
for await (const line of pool.lines('a')) line.toUpperCase();
// @ts-expect-error a field is no method
void pool.field;
// @ts-expect-error arguments are checked
void pool.resize('a', 2);
// @ts-expect-error the control of a process is not that of a pool
void pool.$handle.restart();
export { handle, resized, same, withKey };
