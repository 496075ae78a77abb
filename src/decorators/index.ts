// The public face of the decorators, and the one function that reads them back.
export { HealthCheck, OnShutdown, Public, type HealthCheckOptions, type ProcessMethodDecorator, type PublicOptions } from './method.js';
export { Process, type ProcessDecorator, type ProcessOptions } from './process.js';
export { processSpecOf, type HealthCheckSpec, type MethodSpec, type ProcessSpec } from './spec.js';
