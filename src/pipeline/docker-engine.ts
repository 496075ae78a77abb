// The Docker Engine API as the container orchestrator needs it: found or refused with one clear error, images brought here with progress.
import type Docker from 'dockerode';
import { EngineUnavailableError } from '../errors.js';
import { missingFor } from '../optional.js';

/** Labels by which everything that Mimas made is found again. */
export const LABEL = { pipeline: 'mimas.pipeline', component: 'mimas.component', owner: 'mimas.owner' } as const;

/** @throws EngineUnavailableError */
export async function connectEngine(): Promise<Docker> {
  const { default: Engine } = await import('dockerode').catch(missingFor('running components as containers', ' (or use --orchestrator process)'));
  const engine = new Engine();
  const where = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  try {
    await engine.ping();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new EngineUnavailableError(`no container engine answers at ${where} (${code ?? message}): start Docker, or say in DOCKER_HOST where it is, or use --orchestrator process`, { cause: error });
  }
  return engine;
}

const isMissing = (error: unknown): boolean => (error as { statusCode?: number }).statusCode === 404;
/** Removal of it has begun already. */
export const isBusy = (error: unknown): boolean => (error as { statusCode?: number }).statusCode === 409;

/** The engine itself does not answer. */
export const isLost = (error: unknown): boolean => (error as { statusCode?: number }).statusCode === undefined;

/** Makes sure that an image is here. @throws EngineUnavailableError when it is not and cannot be brought here */
export async function ensureImage(engine: Docker, name: string, pull: 'missing' | 'always' | 'never', { signal, onProgress }: { signal: AbortSignal; onProgress: (message: string) => void }): Promise<void> {
  const image = withTag(name);
  if (pull !== 'always' && (await hasImage(engine, image))) return;
  if (pull === 'never') throw new EngineUnavailableError(`image ${name} is not here, and pull is never`);
  onProgress(`Pulling ${image}`);
  try {
    const stream = await engine.pull(image, { abortSignal: signal });
    const layers = new Map<string, { current: number; total: number }>();
    let told = 0;
    await new Promise<void>((resolve, reject) => {
      const onEvent = ({ id, progressDetail, error }: { id?: string; progressDetail?: { current?: number; total?: number }; error?: string }) => {
        if (error) reject(new Error(error));
        if (!id || !progressDetail?.total) return;
        layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
        const [current, total] = [...layers.values()].reduce<[number, number]>(([a, b], one) => [a + one.current, b + one.total], [0, 0]);
        const percent = Math.floor((100 * current) / total);
        if (percent >= told + 10) onProgress(`Pulling ${image}: ${(told = percent - (percent % 10))} %`);
      };
      engine.modem.followProgress(stream, (error: Error | null) => (error ? reject(error) : resolve()), onEvent);
    });
    onProgress(`Pulled ${image}`);
  } catch (error) {
    throw new EngineUnavailableError(`image ${image} cannot be pulled: ${(error as Error).message}`, { cause: error });
  }
}

/** Without a tag the engine would bring all there are. */
const withTag = (image: string): string => (/[:@][^/]*$/.test(image) ? image : `${image}:latest`);

async function hasImage(engine: Docker, image: string): Promise<boolean> {
  try {
    await engine.getImage(image).inspect();
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Removes containers and networks with all of `labels`; resolves when they are gone. */
export async function removeAll(engine: Docker, labels: readonly string[]): Promise<void> {
  const containers = await engine.listContainers({ all: true, filters: { label: [...labels] } });
  await Promise.all(containers.map(({ Id }) => removeContainer(engine.getContainer(Id))));
  const networks = await engine.listNetworks({ filters: { label: [...labels] } });
  await Promise.all(networks.map(({ Id }) => engine.getNetwork(Id).remove().catch(ignoreMissing)));
}

/** With what it wrote to anonymous volumes. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    if (isBusy(error)) await container.wait({ condition: 'removed' }).catch(ignoreMissing);
    else ignoreMissing(error);
  }
}

export function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
