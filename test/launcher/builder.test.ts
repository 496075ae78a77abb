// The builder, and what can be asked of its errors.
import { describe, expect, it } from 'vitest';
import { getErrorCode, getSuggestion, isErrorCode, LAUNCHER_ERROR_CODES, LauncherBuilder, LauncherError, quickStart } from 'mimas/launcher';
import { addPattern, failure, temporaryFolder } from './helpers.js';

function patterns(): string {
  const dir = temporaryFolder();
  addPattern(dir, 'p');
  return dir;
}

describe('LauncherBuilder', () => {
  it('makes a launcher that works', async () => {
    await using launcher = await new LauncherBuilder().withDevelopmentDefaults().withPatternsDir(patterns()).withNoneIsolation().withConfig({ log() {} }).build();
    expect((await launcher.launch({ pattern: 'p' })).processId).toBe('shared:p');
  });

  it('quickStart needs the folder only', async () => {
    await using launcher = await quickStart(patterns());
    expect(launcher.registry.count).toBe(1);
  });

  it('presets are those of createLauncher, and later steps win', () => {
    expect(new LauncherBuilder().withDevelopmentDefaults().getConfig()).toEqual({ resyncInterval: '5s', backOffPeriod: '1s', defaultIsolation: 'namespace' });
    expect(new LauncherBuilder().withProductionDefaults().withResourceLimits(0.5, '64Mi').withSessionIsolation().getConfig()).toEqual({ resyncInterval: '30s', backOffPeriod: '5s', defaultIsolation: 'session', cpuLimit: 0.5, memoryLimit: '64Mi' });
  });

  it.each<[string, (builder: LauncherBuilder) => LauncherBuilder]>([
    ['patterns directory cannot be empty', (builder) => builder.withPatternsDir('')],
    ['resync interval must be at least 1 second, got 500ms', (builder) => builder.withResyncInterval(500)],
    ['backoff period cannot be negative, got -1', (builder) => builder.withBackOffPeriod(-1)],
    ['CPU limit must be positive, got -1', (builder) => builder.withCpuLimit(-1)],
    ['memory limit cannot be empty', (builder) => builder.withMemoryLimit('')],
    ['config cannot be nil', (builder) => builder.withConfig(null as never)],
    ["unknown option 'patternDir'; did you mean 'patternsDir'?", (builder) => builder.withConfig({ patternDir: 'x' } as never)],
  ])('%s', async (message, step) => {
    // The first mistake sticks; what comes later changes nothing.
    const builder = step(new LauncherBuilder()).withPatternsDir('').withNamespaceIsolation();
    expect(builder.getConfig()).toEqual({});
    const error = await failure(builder.build());
    expect([error.code, error.message]).toEqual(['INVALID_CONFIGURATION', `builder validation failed: ${message}`]);
  });

  it('what does not fit together, and what cannot be started, is told as such', async () => {
    expect((await failure(new LauncherBuilder().withConfig({ leftovers: 'adopt' }).build())).message).toBe('invalid configuration: leftovers: adopt needs a stateDir, where processes are remembered');
    expect((await failure(quickStart('/no/such/dir'))).message).toBe('failed to create service: patterns directory not found: /no/such/dir: no such file or directory');
  });
});

it('codes and suggestions of errors can be asked for, of anything', () => {
  const error = new LauncherError('PATTERN_NOT_FOUND', 'pattern not found: x');
  expect([getErrorCode(error), isErrorCode(error, 'PATTERN_NOT_FOUND'), isErrorCode(error, 'INTERNAL_ERROR'), getSuggestion(error)]).toEqual(['PATTERN_NOT_FOUND', true, false, LAUNCHER_ERROR_CODES.PATTERN_NOT_FOUND]);
  expect([getErrorCode(new Error('x')), isErrorCode(undefined, 'INTERNAL_ERROR'), getSuggestion('x')]).toEqual([undefined, false, '']);
});
