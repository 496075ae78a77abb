// What can be told of one replica: a snapshot.
import type { ReplicaStatus } from './events.js';
import type { Used } from './usage-meter.js';
import { UP, type ComponentUnit } from './unit.js';

export function statusOf(unit: ComponentUnit, registered: string | undefined, used: Used | undefined): ReplicaStatus {
  const { id, component, state, detail, running, restarts, lastExit, startedAt } = unit;
  return {
    id,
    component: component.id,
    kind: component.kind,
    state,
    detail,
    pid: running?.pid,
    container: running?.container,
    restarts,
    exitCode: lastExit?.code,
    uptime: UP.includes(state) && startedAt !== undefined ? Date.now() - startedAt : undefined,
    cpu: running ? used?.cpu : undefined,
    memory: running ? used?.memory : undefined,
    ports: component.ports.map(({ port }) => (running ? running.reach(port).port : port)),
    // Who is down may not have been missed yet.
    registered: running ? registered : undefined,
  };
}
