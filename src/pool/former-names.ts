// What options and strategies of pools are called in Titan PM, from which many come: each with what to write here.

export const FORMER_OPTIONS: Readonly<Record<string, string>> = {
  maxQueueSize: 'write maxQueue',
  requestTimeout: 'write resources: { timeout } for how long a call may run; queueTimeout is how long it may wait for a replica',
  recycleAfter: 'write recycle: { calls }',
  maxLifetime: 'write recycle: { age }',
  memoryLimit: 'write recycle: { memory } to replace a replica that has grown, or resources: { maxMemory } for a limit that ends it',
  memoryWarningThreshold: 'leave it out: recycle: { memory } replaces a replica before it meets a limit',
  warmup: 'leave it out: all replicas are up before pool() resolves; spares keeps further ones warm',
  spawnOptions: 'write them beside the others, such as { size: 4, isolation: \'child\', env }',
  spawnOptionsFactory: 'leave it out: replicas are started alike, with the options beside size',
  healthCheck: 'write monitoring: { healthCheck: { interval, timeout } }',
  autoScale: 'write size: { min, max }: between them the pool scales by load',
  circuitBreaker: 'write breaker: { threshold, timeout, halfOpen }',
  metrics: 'write monitoring: { metrics }',
  replaceUnhealthy: 'leave it out: what dies or falls ill is replaced',
  maxConcurrency: 'write concurrency',
  heartbeat: 'leave it out: a replica that does not answer is found by itself, after stuckTimeout',
  min: 'write size: { min, max }',
  max: 'write size: { min, max }',
};

export const FORMER_BREAKER_OPTIONS: Readonly<Record<string, string>> = {
  halfOpenRequests: 'write halfOpen',
  enabled: 'leave it out: a breaker that is given is on',
};

export const FORMER_STRATEGIES: Readonly<Record<string, string>> = {
  'least-connections': "write 'least-loaded': it counts the calls in flight",
  'weighted-round-robin': "write 'weighted', with weights",
  'least-response-time': "write 'latency'",
  'ip-hash': "write 'consistent-hash', with $with({ key })",
  adaptive: "write 'power-of-two' or 'latency'",
};
