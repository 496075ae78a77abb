// While a process starts, an exception from a stray timer or promise belongs to the start: it is reported through it.
import type { Host } from './host.js';

export function watchStart(host: Host): void {
  const failed = (error: unknown) => host.failStart(error);
  process.on('uncaughtException', failed);
  host.onStarted(() => process.off('uncaughtException', failed));
}
