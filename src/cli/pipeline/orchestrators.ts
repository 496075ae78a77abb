// The orchestrator that is named; what it needs is loaded with it.
import { InvalidOptionError } from '../../errors.js';
import type { ContainerOptions } from '../../pipeline/container-orchestrator.js';
import type { Orchestrator } from '../../pipeline/orchestrator.js';

/** `docker` is another name of `container`. @throws InvalidOptionError */
export async function orchestratorFor(type: string, options: ContainerOptions = {}): Promise<Orchestrator> {
  if (type === 'process') return new (await import('../../pipeline/process-orchestrator.js')).ProcessOrchestrator();
  if (type === 'container' || type === 'docker') return new (await import('../../pipeline/container-orchestrator.js')).ContainerOrchestrator(options);
  throw new InvalidOptionError(`unknown orchestrator type: ${type}`, { option: 'orchestrator' });
}
