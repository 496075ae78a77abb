// What was measured on, without names of hosts, users or folders.
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release().split('-')[0]} ${arch()}`,
    node: process.version,
  };
}
