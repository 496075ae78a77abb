// `mimas run pipeline.yaml` over real processes: order, health, failures, restarts, and the way down.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../helpers/compile.js';
import { alive, eventually, freePorts, makeProject, plain, serving } from './helpers.js';

const PLAIN = ['--plain', '--no-control-plane'];

async function threeStages(more: { a?: object; b?: object; c?: object } = {}) {
  const [a, b, c] = (await freePorts(3)) as [number, number, number];
  const project = makeProject();
  project.write({
    sources: [serving('live-source', a, more.a)],
    processors: [serving('processor', b, { inputs: ['live-source'], ...more.b })],
    sinks: [serving('consumer', c, { inputs: ['processor'], ...more.c })],
  });
  return { ...project, ports: { a, b, c } };
}

describe('up and down', () => {
  it("23. each stage starts only after the one before is healthy; Ctrl+C stops in reverse; the output is the seed's 13 lines; no child is left", async () => {
    const project = await threeStages({ a: { env: { HEALTHY_AFTER: 300 } } });
    const run = project.start('run', 'pipeline.yaml', '--orchestrator', 'process', ...PLAIN);
    await run.line('Pipeline started successfully');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(run.lines).toEqual([
      'Starting pipeline: test',
      'Starting component: live-source',
      'Component live-source health check passed',
      'Starting component: processor',
      'Component processor health check passed',
      'Starting component: consumer',
      'Component consumer health check passed',
      'Pipeline started successfully',
      'Received shutdown signal',
      'Stopping component: consumer',
      'Stopping component: processor',
      'Stopping component: live-source',
      'Pipeline stopped successfully',
    ]);
    expect(run.err()).toBe('');
    expect(project.happened()).toEqual([
      'start live-source', 'start processor', 'start consumer',
      'term consumer', 'exit consumer', 'term processor', 'exit processor', 'term live-source', 'exit live-source',
    ]);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('independent components start at the same time, and their dependents wait for all of them', async () => {
    const [a, b, c] = (await freePorts(3)) as [number, number, number];
    const project = makeProject();
    project.write({ sources: [serving('one', a, { env: { HEALTHY_AFTER: 400 } }), serving('two', b)], sinks: [serving('both', c)] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    expect(run.lines.slice(1, 3).sort()).toEqual(['Starting component: one', 'Starting component: two']);
    expect(run.lines.indexOf('Starting component: both')).toBeGreaterThan(run.lines.indexOf('Component one health check passed'));
    run.signal('SIGTERM');
    expect(await run.exit()).toBe(0);
  });

  it('who ignores SIGTERM gets SIGKILL when its grace is over, with its helpers; who listens is not hurried', async () => {
    const project = makeProject();
    project.write({ sources: [plain('deaf', { env: { ON_TERM: 'ignore', HELPER: 1 }, stop: { grace_period: '400ms' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await project.until((happened) => happened.includes('start deaf'));
    const before = performance.now();
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(performance.now() - before).toBeGreaterThan(390);
    expect(project.happened()).toContain('term deaf');
    expect(project.pids()).toHaveLength(2);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a second Ctrl+C kills at once', async () => {
    const project = makeProject();
    project.write({ sources: [plain('deaf', { env: { ON_TERM: 'ignore' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await project.until((happened) => happened.includes('start deaf'));
    const before = performance.now();
    run.signal('SIGINT');
    await project.until((happened) => happened.includes('term deaf'));
    run.signal('SIGINT');
    expect(await run.exit()).toBe(130);
    expect(performance.now() - before).toBeLessThan(5000);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('Ctrl+C while it starts stops what runs and starts nothing more', async () => {
    const project = await threeStages({ b: { env: { HEALTHY_AFTER: 60_000 } } });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await project.until((happened) => happened.includes('start processor'));
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(project.happened()).not.toContain('start consumer');
    expect(run.lines.slice(-3)).toEqual(['Stopping component: processor', 'Stopping component: live-source', 'Pipeline stopped successfully']);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('SIGKILL of mimas itself leaves no component behind', async () => {
    const project = await threeStages({ b: { env: { HELPER: 1 } } });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    run.signal('SIGKILL');
    await run.exit();
    expect(project.pids()).toHaveLength(4);
    expect(await eventually(() => !project.pids().some(alive))).toBe(true);
  });
});

describe('failures', () => {
  it.each([
    ['live-source', 'a', []],
    ['processor', 'b', ['live-source']],
    ['consumer', 'c', ['processor', 'live-source']],
  ] as const)('24. %s fails to start: what was started is stopped, the exit code is 1, the error names it with its last lines', async (id, stage, stopped) => {
    const project = await threeStages({ [stage]: { env: { PORT: '', EXIT_AFTER: 50, EXIT_CODE: 3 } } });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.lines).toContain(`Component ${id} failed to start: exited with code 3 before its health check passed`);
    expect(run.lines.filter((line) => line.startsWith('Stopping'))).toEqual(stopped.map((one) => `Stopping component: ${one}`));
    expect(run.err()).toBe(`mimas: component ${id} failed to start: exited with code 3 before its health check passed\n    ${id} | ${id} gives up\n`);
    expect(run.lines).not.toContain('Pipeline stopped successfully');
    expect(project.log(id)).toBe(`${id} gives up\n`);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a health check that never passes is a failed start, and says what was seen', async () => {
    const project = makeProject();
    const [port] = (await freePorts(1)) as [number];
    const health_check = { http: `http://localhost:${port}/health`, start_timeout: '500ms' };
    project.write({ sources: [plain('source')], processors: [serving('processor', port, { env: { HEALTHY_AFTER: 60_000 }, health_check })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.err()).toMatch(/component processor failed to start: health check timeout after 0\.5s; last: GET http:\/\/127\.0\.0\.1:\d+\/health(?: answered 503|: connect ECONNREFUSED)/);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('a program that does not exist is one clear error', async () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'lost', command: ['./no-such-program'] }] });
    const { status, stderr } = project.mimas('run', 'pipeline.yaml', ...PLAIN);
    expect(status).toBe(1);
    expect(stderr).toMatch(/component lost failed to start: .*no-such-program could not be executed: spawn .* ENOENT/);
  });

  it('25. when a dependency fails, those who wait for it are skipped at once, never started, and the project ends', async () => {
    const project = makeProject();
    project.write(
      { sources: [plain('first', { env: { EXIT_AFTER: 300, EXIT_CODE: 4 }, restart_policy: 'no', health_check: { log: 'never printed' } })], processors: [plain('second', { depends_on: { first: 'log_ready' } })], sinks: [plain('third', { inputs: ['second'] })] },
      { on_failure: 'continue' },
    );
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.lines).toContain('Component second skipped: first failed to start: exited with code 4 before its health check passed');
    expect(run.lines).toContain('Component third skipped: second was skipped');
    expect(project.happened().filter((what) => what.startsWith('start'))).toEqual(['start first']);
  });

  it('25. a component that is stopped while it waits is never started, nor is who waits for it, and the project ends', async () => {
    const [port] = (await freePorts(1)) as [number];
    const project = makeProject();
    project.write({ sources: [serving('slow', port, { env: { HEALTHY_AFTER: 60_000 } })], processors: [plain('waiting')], sinks: [plain('last')] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await project.until((happened) => happened.includes('start slow'));
    expect(project.mimas('stop', 'waiting').status).toBe(0);
    await run.line('Component last skipped: waiting was stopped');
    expect(project.mimas('stop', 'slow').status).toBe(0);
    expect(await run.exit()).toBe(0);
    expect(project.happened().filter((what) => what.startsWith('start'))).toEqual(['start slow']);
  });
});

describe('while it runs', () => {
  it('a crash under load is followed by a restart with a new process; the others stay', async () => {
    const project = await threeStages();
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    const ask = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    const before = await ask(project.ports.b, '/count');
    const served = new Map<string, number>();
    let stop = false;
    const load = (async () => {
      for (;;) {
        const pid = await ask(project.ports.b, '/count').catch(() => 'down');
        served.set(pid, (served.get(pid) ?? 0) + 1);
        if (stop) return;
      }
    })();
    await ask(project.ports.b, '/crash').catch(() => {});
    await run.line('Component processor is up again (restart 1)');
    stop = true;
    await load;
    // The one that was killed, nobody for a moment, and its successor.
    expect(served.size).toBe(3);
    expect(served.has('down')).toBe(true);
    expect(await ask(project.ports.b, '/count')).not.toBe(before);
    expect(run.lines).toContainEqual(expect.stringMatching(/^Component processor exited with code 7.*; it is started again$/));
    expect(project.happened().filter((what) => what.startsWith('start'))).toHaveLength(4);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('a component that becomes unhealthy is restarted, and becomes healthy again', async () => {
    const project = await threeStages();
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    await fetch(`http://127.0.0.1:${project.ports.c}/sicken`);
    await run.line('Component consumer is up again (restart 1)');
    expect(run.lines.find((line) => line.startsWith('Component consumer is unhealthy'))).toMatch(/GET http:\S+ answered 503/);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('who crashes more often than its policy allows is given up, and takes the pipeline down with exit code 1', async () => {
    const project = makeProject();
    project.write({ sources: [plain('steady')], processors: [plain('crashing', { inputs: ['steady'], env: { EXIT_AFTER: 400, EXIT_CODE: 9 }, restart_policy: { max_restarts: 2, backoff: { initial: '10ms' } } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(project.happened().filter((what) => what === 'start crashing')).toHaveLength(3);
    expect(run.err()).toMatch(/component crashing is given up: .*exited with code 9\n {4}crashing \| crashing gives up/);
    expect(project.pids().filter(alive)).toEqual([]);
  });

  it('restart_policy no: the first crash is final; with on_failure continue the others go on', async () => {
    const project = makeProject();
    project.write({ sources: [plain('steady'), plain('brittle', { env: { EXIT_AFTER: 400, EXIT_CODE: 9 }, restart_policy: 'no' })] }, { on_failure: 'continue' });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Component brittle exited with code 9');
    const steady = project.journal().find(([what, id]) => what === 'start' && id === 'steady')!;
    expect(alive(Number(steady[2]))).toBe(true);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(1);
  });

  it('when all components have completed, the pipeline ends with exit code 0; completed_successfully is waited for', async () => {
    const project = makeProject();
    project.write({ sources: [plain('job', { env: { EXIT_AFTER: 50 } })], sinks: [plain('report', { depends_on: { job: { condition: 'completed_successfully' } }, env: { EXIT_AFTER: 50, EXIT_CODE: 5 }, success_exit_codes: [5] })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(0);
    expect(project.happened()).toEqual(['start job', 'exit job', 'start report', 'exit report']);
    expect(run.lines).toContain('Component report completed');
  });

  it('a job that fails skips those who need its success', async () => {
    const project = makeProject();
    project.write({ sources: [plain('job', { env: { EXIT_AFTER: 400, EXIT_CODE: 1 }, restart_policy: 'no' })], sinks: [plain('report', { depends_on: { job: 'completed_successfully' } }), plain('mourner', { depends_on: { job: 'completed' }, env: { EXIT_AFTER: 10 } })] }, { on_failure: 'continue' });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    expect(await run.exit()).toBe(1);
    expect(run.lines).toContain('Component report skipped: job exited with code 1');
    expect(project.happened()).toContain('start mourner');
  });

  it('log_ready waits for the line', async () => {
    const project = makeProject();
    project.write({ sources: [plain('talker', { env: { SAY: 'now listening on 9' }, health_check: { log: 'listening on \\d' } })], sinks: [plain('listener', { depends_on: { talker: 'log_ready' }, env: { EXIT_AFTER: 10 } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Component listener completed');
    expect(run.lines.indexOf('Component talker health check passed')).toBeLessThan(run.lines.indexOf('Starting component: listener'));
    run.signal('SIGINT');
    await run.exit();
  });

  it('tcp and exec checks', async () => {
    const [port] = (await freePorts(1)) as [number];
    const project = makeProject();
    project.write({ sources: [serving('tcp', port, { health_check: { tcp: port } }), plain('exec', { health_check: { exec: 'test "$COMPONENT_ID" = exec' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    expect(run.lines.slice(1, -1).sort()).toEqual(['Component exec health check passed', 'Component tcp health check passed', 'Starting component: exec', 'Starting component: tcp']);
    run.signal('SIGINT');
    await run.exit();
  });

  it('a changed file that is watched restarts its component', async () => {
    const project = makeProject();
    writeFileSync(join(project.folder, 'watched.txt'), '1');
    project.write({ sources: [plain('watcher', { watch: { paths: ['watched.txt'], debounce: '20ms' } })] });
    const run = project.start('run', 'pipeline.yaml', ...PLAIN);
    await run.line('Pipeline started successfully');
    await project.until((happened) => happened.includes('start watcher'));
    writeFileSync(join(project.folder, 'watched.txt'), '2');
    await run.line(/^Component watcher is up again/);
    await project.until((happened) => happened.filter((what) => what === 'start watcher').length === 2);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
  });

  it('a Mimas process file is a component: healthy when it says so, stopped with its hooks', async () => {
    const project = makeProject();
    mkdirSync(join(project.folder, 'node_modules'));
    symlinkSync(root, join(project.folder, 'node_modules/mimas'));
    writeFileSync(join(project.folder, 'counter.process.ts'), `import { Process, Public, HealthCheck, OnShutdown } from 'mimas';
      @Process({ name: 'counter' })
      export default class Counter {
        init() { console.log('hello from ' + process.env.COMPONENT_ID); }
        @Public() add(a: number, b: number) { return a + b; }
        @HealthCheck() health() { return { status: 'healthy', checks: [] }; }
        @OnShutdown() close() { console.log('closed'); }
      }`);
    project.write({ sources: [{ id: 'counter', process: './counter.process.ts' }] });
    const run = project.start('run', 'pipeline.yaml', '--no-control-plane');
    await run.line('Pipeline started successfully');
    run.signal('SIGINT');
    expect(await run.exit()).toBe(0);
    expect(project.log('counter')).toBe('hello from counter\nclosed\n');
  });
});

describe('logs and output', () => {
  it('logs go to a file each, rotated by size; nothing is lost between files', async () => {
    const project = makeProject();
    project.write({ sources: [plain('chatty', { env: { SPAM: 400, EXIT_AFTER: 500 } })] }, { log: { max_size: '10KB', max_files: 10 } });
    expect(project.mimas('run', 'pipeline.yaml', ...PLAIN).status).toBe(0);
    const files = readdirSync(join(project.folder, 'logs')).sort();
    expect(files.length).toBeGreaterThan(3);
    const age = (name: string) => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
    const all = files.sort((a, b) => age(b) - age(a)).map((name) => readFileSync(join(project.folder, 'logs', name), 'utf8')).join('').trim().split('\n');
    expect(all.slice(0, 400).map((line) => line.split(' ')[1])).toEqual(Array.from({ length: 400 }, (_, i) => String(i)));
  });

  it("components' lines are prefixed with their names; --plain leaves them out; --json tells all as events", async () => {
    const project = makeProject();
    project.write({ sources: [plain('a', { env: { SAY: 'hello', EXIT_AFTER: 300 } }), plain('longer', { env: { EXIT_AFTER: 300 } })] });
    expect(project.mimas('run', 'pipeline.yaml', '--no-control-plane').stdout).toContain('a      | hello\n');
    expect(project.mimas('run', 'pipeline.yaml', ...PLAIN).stdout).not.toContain('hello');
    const { stdout } = project.mimas('run', 'pipeline.yaml', '--json', '--no-control-plane');
    const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toContainEqual(expect.objectContaining({ event: 'log', id: 'a', stream: 'stdout', line: 'hello' }));
    expect(events).toContainEqual(expect.objectContaining({ event: 'component', id: 'a', state: 'completed' }));
    expect(events.at(-1)).toMatchObject({ event: 'pipeline', phase: 'stopped', exitCode: 0 });
  });

  it("a component gets the documented variables, its ports, its config in upper case, and its own env", async () => {
    const project = makeProject();
    writeFileSync(join(project.folder, '.env'), 'GREETING="hello from .env"\n');
    writeFileSync(join(project.folder, 'extra.env'), 'FROM_FILE=yes\nBOTH=file\n');
    const names = 'ENABLE_FLOWCTL,FLOWCTL_ENDPOINT,FLOWCTL_HEARTBEAT_INTERVAL,COMPONENT_ID,FLOWCTL_COMPONENT_ID,FLOWCTL_SERVICE_ID,HEALTH_PORT,BATCH_SIZE,GREETING,FROM_FILE,BOTH,COMMON';
    const [port] = (await freePorts(1)) as [number];
    project.write({ sources: [plain('a', { env: { PRINT_ENV: names, GREETING: '${GREETING}', BOTH: 'env', EXIT_AFTER: 300 }, env_file: 'extra.env', config: { batchSize: 5 }, health_port: port, health_check: { exec: 'true' } })] }, { env: { COMMON: 'for all' } });
    expect(project.mimas('run', 'pipeline.yaml', '--plain', '--control-plane-port', '0').status).toBe(0);
    const env = Object.fromEntries(project.log('a').trim().split('\n').map((line) => line.split(/=(.*)/s) as [string, string]));
    expect(env).toMatchObject({
      ENABLE_FLOWCTL: 'true', FLOWCTL_ENDPOINT: expect.stringMatching(/^http:\/\/localhost:\d+$/), FLOWCTL_HEARTBEAT_INTERVAL: '10s', COMPONENT_ID: 'a', FLOWCTL_COMPONENT_ID: 'a', FLOWCTL_SERVICE_ID: 'a',
      HEALTH_PORT: String(port), BATCH_SIZE: '5', GREETING: 'hello from .env', FROM_FILE: 'yes', BOTH: 'env', COMMON: 'for all',
    });
  });
});

describe('refusals', () => {
  it('an image alone cannot run as a process: refused by run and by validate, where it stands in the file', () => {
    const project = makeProject();
    writeFileSync(project.file, 'apiVersion: mimas/v1\nkind: Pipeline\nmetadata: { name: test }\nspec:\n  sources:\n    - id: boxed\n      image: x\n');
    const refusal = 'pipeline.yaml:7:14: source boxed has only an image: it needs --orchestrator container, or a command\n';
    expect(project.mimas('run', 'pipeline.yaml', ...PLAIN)).toEqual({ status: 2, stdout: '', stderr: refusal });
    expect(project.mimas('validate', 'pipeline.yaml', '--orchestrator', 'process')).toEqual({ status: 2, stdout: '', stderr: refusal });
    expect(project.mimas('validate', 'pipeline.yaml').status).toBe(0);
  });

  it('without a container engine there is one clear error', () => {
    const project = makeProject();
    project.write({ sources: [{ id: 'boxed', image: 'x' }] });
    Object.assign(project.env, { DOCKER_HOST: `unix://${project.folder}/nobody.sock` });
    const { status, stderr } = project.mimas('run', 'pipeline.yaml', '--orchestrator', 'container', ...PLAIN);
    expect({ status, stderr }).toEqual({ status: 4, stderr: `mimas: EngineUnavailableError: no container engine answers at unix://${project.folder}/nobody.sock (ENOENT): start Docker, or say in DOCKER_HOST where it is, or use --orchestrator process\n` });
  });

  it('options for process files are refused for pipelines, and the other way round', () => {
    const project = makeProject();
    project.write({ sources: [plain('a')] });
    expect(project.mimas('run', 'pipeline.yaml', '--isolation', 'child')).toMatchObject({ status: 2, stderr: expect.stringContaining('--isolation is an option for a process file, not for a pipeline') });
    expect(project.mimas('run', 'x.process.ts', '--plain')).toMatchObject({ status: 2, stderr: expect.stringContaining('--plain is an option for a pipeline (.yaml), not for a process file') });
  });
});
