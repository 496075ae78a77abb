// The public surface of `mimas/pipeline`. No logic.
import './unbundled.js';
export { loadPipeline, parsePipeline, readPipeline, type LoadOptions, type Parsed } from './parse.js';
export { formatProblem, type Problem } from './problems.js';
export { pipelineJsonSchema } from './json-schema.js';
export { plan, type Edge, type Plan } from './plan.js';
export type * from './model.js';
export { PipelineRunner, type Changes, type Outcome, type RunnerOptions } from './runner.js';
export type { PipelineEvents, PipelinePhase, PipelineStatus, ReplicaStatus } from './events.js';
export type { ComponentState } from './unit.js';
export type { ControlPlanePlace, Exit, Launch, Orchestrator, Preparation, Refusal, Replica, Running, StopSteps, Usage } from './orchestrator.js';
export { ProcessOrchestrator } from './process-orchestrator.js';
export { ContainerOrchestrator, type ContainerOptions } from './container-orchestrator.js';
export { ControlPlane, CONTROL_PLANE_PROTO, type ControlPlaneOptions } from './control-plane.js';
export type { AccessOptions, Audience } from './control-plane-access.js';
export { Registry, type ComponentInfo, type Registration, type RegistryOptions } from './registry.js';
export { OperationsServer, type OperationsOptions } from './operations.js';
export { ask, choosePipeline, statusOfPipeline } from './operations-client.js';
export { runningPipelines } from './runtime-folder.js';
