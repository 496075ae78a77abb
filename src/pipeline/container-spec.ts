// What the engine is told of one container. Pure: from a component to the body of the request.
import type Docker from 'dockerode';
import { LABEL } from './docker-engine.js';
import type { Component, PipelineSpec, Volume } from './model.js';
import { PROCESS_HOST, processMounts } from './process-mounts.js';
import type { Replica } from './orchestrator.js';

export interface Place {
  readonly pipeline: PipelineSpec;
  readonly network: string;
  readonly owner: string;
  /** Where `host.docker.internal` is. */
  readonly host: string;
}

/** The name by which a container of this component is known to its peers. */
const hostNameOf = (id: string): string => id.toLowerCase();
const containerName = (pipeline: string, id: string): string => `mimas-${pipeline}-${id}`;

export function containerSpec({ id, index, component }: Replica, env: Readonly<Record<string, string>>, { pipeline, network, owner, host }: Place): Docker.ContainerCreateOptions {
  const { image, ports, volumes, container } = component;
  const { command, args, workingDir, mounts } = programOf(component, pipeline.folder);
  const limits = container.limits ?? component.limits;
  return {
    name: containerName(pipeline.name, id),
    Image: image!,
    ...(command === undefined ? {} : { Entrypoint: [...command] }),
    ...(command !== undefined || args.length > 0 ? { Cmd: [...args] } : {}),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Labels: { ...pipeline.labels, [LABEL.pipeline]: pipeline.name, [LABEL.component]: id, [LABEL.owner]: owner },
    ExposedPorts: Object.fromEntries(ports.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
    StopSignal: component.stop.signal,
    HostConfig: {
      NetworkMode: network,
      // All components of a pipeline can reach the control plane, wherever it is.
      ExtraHosts: [`host.docker.internal:${host}`],
      PortBindings: Object.fromEntries(ports.map(({ port, hostPort, hostIp, protocol }) => [`${port}/${protocol}`, [{ HostIp: hostIp, HostPort: String(hostPort + index) }]])),
      Binds: [...mounts, ...volumes].map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
      ...(limits?.cpu === undefined ? {} : { NanoCpus: Math.round(limits.cpu * 1e9) }),
      ...(limits?.memory === undefined ? {} : { Memory: limits.memory, MemorySwap: limits.memory }),
      ...(limits?.cpuRequest === undefined ? {} : { CpuShares: Math.max(2, Math.round(limits.cpuRequest * 1024)) }),
      ...(limits?.memoryRequest === undefined ? {} : { MemoryReservation: limits.memoryRequest }),
      RestartPolicy: { Name: 'no' },
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [...new Set([id, hostNameOf(id), component.id, hostNameOf(component.id)])] } } },
  };
}

interface Program {
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[];
  readonly workingDir: string | undefined;
  readonly mounts: readonly Pick<Volume, 'source' | 'target' | 'readOnly'>[];
}

function programOf({ command, args, process: file, container, healthCheck, volumes }: Component, folder: string): Program {
  if (file === undefined || container.command !== undefined) {
    return { command: container.command ?? command, args: container.args ?? args, workingDir: container.workingDir, mounts: [] };
  }
  // What the file itself mounts wins.
  const mounts = processMounts(file, folder).filter((path) => !volumes.some(({ target }) => target === path));
  return {
    command: ['node', PROCESS_HOST],
    args: ['run', file, String(healthCheck?.startTimeout ?? 30_000), ...(container.args ?? args)],
    workingDir: container.workingDir ?? folder,
    mounts: mounts.map((path) => ({ source: path, target: path, readOnly: true })),
  };
}

const LOCAL_PORT = /\b(?:localhost|127\.0\.0\.1):(\d{1,5})\b/g;

/** `localhost:<port>` of another component becomes that component's name and its own port; everything else stays. */
export function rewriteLocalhost(value: string, self: Component, all: readonly Component[]): string {
  return value.replace(LOCAL_PORT, (match, digits: string) => {
    const port = Number(digits);
    for (const { id, ports, healthPort } of all) {
      if (id === self.id) continue;
      const entry = ports.find(({ hostPort }) => hostPort === port) ?? ports.find((one) => one.port === port);
      if (entry) return `${hostNameOf(id)}:${entry.port}`;
      if (healthPort === port) return `${hostNameOf(id)}:${port}`;
    }
    return match;
  });
}
