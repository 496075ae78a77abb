// The variables that every component gets, after seed 003 and flowctl: documented in docs/pipeline.md.
import type { Replica } from './orchestrator.js';

export interface ControlPlaneAddress {
  /** What components are told; undefined when there is none. */
  readonly endpoint: string | undefined;
  /** What a component shows there, by its id. */
  readonly tokenOf: (id: string) => string | undefined;
  /** Such as `10s`. */
  readonly heartbeat: string;
}

/** The component's own variables win over ports, never over those of the control plane. */
export function environmentFor({ id, index, component }: Replica, { endpoint, tokenOf, heartbeat }: ControlPlaneAddress, pipeline: string, inContainer: boolean): Record<string, string> {
  const { ports, healthPort } = component;
  const env: Record<string, string> = {};
  if (healthPort !== undefined) env['HEALTH_PORT'] = String(inContainer ? healthPort : healthPort + index);
  for (const { env: name, port, hostPort } of ports) if (name !== undefined) env[name] = String(inContainer ? port : hostPort + index);
  const token = endpoint === undefined ? undefined : tokenOf(id);
  const own = { ...component.env, ...(inContainer ? component.container.env : {}) };
  // Of several replicas each has its own port, whatever the file says for the first.
  return {
    ...env,
    ...own,
    ...(index > 0 ? env : {}),
    ENABLE_FLOWCTL: String(endpoint !== undefined),
    ...(endpoint === undefined ? {} : { FLOWCTL_ENDPOINT: endpoint, FLOWCTL_HEARTBEAT_INTERVAL: heartbeat }),
    ...(token === undefined ? {} : { FLOWCTL_TOKEN: token }),
    COMPONENT_ID: id,
    FLOWCTL_COMPONENT_ID: id,
    FLOWCTL_SERVICE_ID: id,
    MIMAS_PIPELINE: pipeline,
    MIMAS_REPLICA: String(index),
  };
}
