// The launcher's options step by step. Each step is checked at once; the first mistake counts, and `build` tells it.
import { LauncherError } from './errors.js';
import type { IsolationLevel } from './ids.js';
import { createLauncher, type Launcher } from './launcher.js';
import { PRESETS, resolveLauncherOptions, type LauncherOptions } from './options.js';
import type { Duration } from '../units.js';

export class LauncherBuilder {
  #options: LauncherOptions = {};
  #mistake: LauncherError | undefined;

  withPatternsDir(patternsDir: string): this {
    return this.#with({ patternsDir });
  }
  withDefaultIsolation(defaultIsolation: IsolationLevel): this {
    return this.#with({ defaultIsolation });
  }
  withNoneIsolation(): this {
    return this.withDefaultIsolation('none');
  }
  withNamespaceIsolation(): this {
    return this.withDefaultIsolation('namespace');
  }
  withSessionIsolation(): this {
    return this.withDefaultIsolation('session');
  }
  /** At least 1 s. */
  withResyncInterval(resyncInterval: Duration): this {
    return this.#with({ resyncInterval });
  }
  withBackOffPeriod(backOffPeriod: Duration): this {
    return this.#with({ backOffPeriod });
  }
  withCpuLimit(cpuLimit: number | string): this {
    return this.#with({ cpuLimit });
  }
  withMemoryLimit(memoryLimit: number | string): this {
    return this.#with({ memoryLimit });
  }
  withResourceLimits(cpuLimit: number | string, memoryLimit: number | string): this {
    return this.withCpuLimit(cpuLimit).withMemoryLimit(memoryLimit);
  }
  /** Resync 5 s, backoff 1 s, isolation namespace. */
  withDevelopmentDefaults(): this {
    return this.#with(PRESETS.development);
  }
  /** Resync 30 s, backoff 5 s, isolation namespace, 2 cores and 1 GiB a process. */
  withProductionDefaults(): this {
    return this.#with(PRESETS.production);
  }
  /** Any options, over those that were given before. */
  withConfig(options: LauncherOptions): this {
    if (typeof options === 'object' && (options as unknown) !== null) return this.#with(options);
    this.#mistake ??= new LauncherError('INVALID_CONFIGURATION', 'config cannot be nil');
    return this;
  }

  /** What `createLauncher` would be given. */
  getConfig(): LauncherOptions {
    return { ...this.#options };
  }

  /** @throws LauncherError that says `builder validation failed: …`, `invalid configuration: …` or `failed to create service: …` */
  async build(): Promise<Launcher> {
    if (this.#mistake) throw during('builder validation failed', this.#mistake);
    try {
      resolveLauncherOptions(this.#options);
    } catch (error) {
      throw during('invalid configuration', error as LauncherError);
    }
    try {
      return await createLauncher(this.#options);
    } catch (error) {
      throw error instanceof LauncherError ? during('failed to create service', error) : error;
    }
  }

  #with(options: LauncherOptions): this {
    if (this.#mistake) return this;
    try {
      // What only makes sense along with other options is judged when it is built.
      const { leftovers: _, ...alone } = options;
      resolveLauncherOptions(alone);
      this.#options = { ...this.#options, ...options };
    } catch (error) {
      this.#mistake = error as LauncherError;
    }
    return this;
  }
}

/** A launcher over `patternsDir` with the defaults. @throws LauncherError as `LauncherBuilder.build` */
export const quickStart = (patternsDir: string): Promise<Launcher> => new LauncherBuilder().withPatternsDir(patternsDir).build();

const during = (step: string, error: LauncherError): LauncherError =>
  new LauncherError(error.code, `${step}: ${error.message}`, { context: error.context, suggestion: error.suggestion, cause: error });
