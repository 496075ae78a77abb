// Files of other tools that somebody gives for a pipeline: named as what they are, with what to do instead.
import { basename } from 'node:path';

const INSTEAD = 'a pipeline lists what runs under spec.sources, spec.processors and spec.sinks (docs/pipeline.md)';

/** By the name of the file alone. */
export function foreignByName(file: string): string | undefined {
  const name = basename(file);
  if (/^Procfile(?:\..+)?$/i.test(name)) return `this is a Procfile, not a pipeline: each line \`name: command\` becomes a component {id: name, command: …}; ${INSTEAD}`;
  if (/^ecosystem\.config\.(?:js|cjs|mjs|json)$/i.test(name)) return `this is a file of PM2, not a pipeline: each app becomes a component {id, command, env}; ${INSTEAD}`;
  if (/^process-compose(?:\..+)?\.json$/i.test(name)) return COMPOSED_PROCESSES;
  return undefined;
}

const COMPOSED_PROCESSES = `this is a file of process-compose, not a pipeline: each of its processes becomes a component {id, command, depends_on, …}; ${INSTEAD}`;

/** By what is in it. `value` is the document as data. */
export function foreignByContent(value: unknown, file: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'apiVersion' in value || 'spec' in value) {
    const kind = (value as { kind?: unknown } | null)?.kind;
    return typeof kind === 'string' && KUBERNETES.includes(kind) ? `this is a manifest of Kubernetes (kind: ${kind}), not a pipeline: kubectl apply -f ${basename(file)} takes it; ${INSTEAD}` : undefined;
  }
  const fields = value as Record<string, unknown>;
  if (isMap(fields['services'])) return `this is a file of Docker Compose, not a pipeline: docker compose up runs it; here each service becomes a component {id, image, command, ports, depends_on, …}; ${INSTEAD}`;
  if (isMap(fields['processes'])) return COMPOSED_PROCESSES;
  const lines = Object.values(fields);
  if (!('kind' in fields) && !('metadata' in fields) && lines.length > 0 && lines.every((one) => typeof one === 'string' && one.includes(' '))) return foreignByName('Procfile');
  if ('executable' in fields && 'name' in fields) return `this is a manifest of a pattern, not a pipeline: mimas launch --patterns-dir takes the folder above its own; ${INSTEAD}`;
  return undefined;
}

const KUBERNETES = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Pod', 'Service', 'ConfigMap', 'Ingress'];
const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
