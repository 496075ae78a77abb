// The manager in a tsyringe container: `container.resolve(ProcessManager)` gives the one of that container, made when it is
// first asked for. Invariant: tsyringe and reflect-metadata are loaded when a module is made, never by `import 'mimas'`.
import { createRequire } from 'node:module';
import { InvalidOptionError } from '../errors.js';
import { refuseUnknown } from '../supervisor/options.js';
import { ProcessManager } from './process-manager.js';
import { checkManagerOptions, type ManagerOptions } from './options.js';

type Token = string | symbol | (abstract new (...args: never[]) => unknown);

/** What is used of a tsyringe container; every `DependencyContainer` fits. */
export interface ModuleContainer {
  register(token: never, provider: { useFactory: (container: never) => unknown }): unknown;
  resolve(token: never): unknown;
  isRegistered(token: never, recursive?: boolean): boolean;
}

export interface ModuleOptions {
  /** Default: tsyringe's global `container`. */
  container?: ModuleContainer;
}

export interface AsyncModuleOptions {
  /** Makes the options; it is given what `inject` names. */
  useFactory(...dependencies: never[]): ManagerOptions | Promise<ManagerOptions>;
  /** Tokens that are resolved from the container for `useFactory`. */
  inject?: readonly Token[];
}

interface Container {
  register(token: unknown, provider: { useFactory: (container: Container) => unknown }): unknown;
  resolve<T>(token: unknown): T;
  isRegistered(token: unknown, recursive?: boolean): boolean;
}

const taken = new WeakMap<object, ProcessManagerModule>();

export class ProcessManagerModule {
  #manager: ProcessManager | undefined;
  #shutdown: Promise<void> | undefined;

  private constructor(
    private readonly container: Container,
    private readonly options: ManagerOptions,
  ) {
    const shutdown = () => this.shutdown();
    /** A container disposes of what it has constructed itself, so it is given this to construct. */
    class Disposer {
      readonly dispose = shutdown;
    }
    container.register(ProcessManager, {
      useFactory: () => {
        if (!this.#manager) container.resolve(Disposer);
        return this.manager;
      },
    });
    taken.set(container, this);
  }

  /**
   * Registers `ProcessManager` in the container.
   * @throws InvalidOptionError when the container has one already; UnknownOptionError and others for wrong options
   */
  static forRoot(options: ManagerOptions = {}, own: ModuleOptions = {}): ProcessManagerModule {
    checkManagerOptions(options);
    return new ProcessManagerModule(freeContainer(own), options);
  }

  /** The same with options that are made, perhaps from what the container holds, perhaps later. */
  static async forRootAsync({ useFactory, inject = [], ...rest }: AsyncModuleOptions, own: ModuleOptions = {}): Promise<ProcessManagerModule> {
    refuseUnknown(rest, ['useFactory', 'inject'], 'forRootAsync');
    if (typeof useFactory !== 'function') throw new InvalidOptionError('useFactory: a function that returns the options is needed', { option: 'useFactory' });
    const container = freeContainer(own);
    const dependencies = inject.map((token) => container.resolve(token));
    const options = await useFactory(...(dependencies as never[]));
    return ProcessManagerModule.forRoot(options, own);
  }

  /** The manager, made now if nobody has resolved it yet. */
  get manager(): ProcessManager {
    return (this.#manager ??= new ProcessManager(this.options));
  }

  /** Shuts the manager down, if there ever was one. After it the container takes a new module. */
  shutdown(): Promise<void> {
    if (taken.get(this.container) === this) taken.delete(this.container);
    return (this.#shutdown ??= this.#manager?.shutdown() ?? Promise.resolve());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

function freeContainer(own: ModuleOptions): Container {
  refuseUnknown(own, ['container'], 'ProcessManagerModule');
  const container = (own.container ?? globalContainer()) as unknown as Container;
  // One that was reset meanwhile has forgotten the module.
  if (taken.has(container) && container.isRegistered(ProcessManager)) {
    throw new InvalidOptionError('container: it has a ProcessManager already; shut that module down first, or use a child container', { option: 'container' });
  }
  return container;
}

/**
 * The `container` of the very tsyringe that the program imports: the copy beside the program if it has one of its own (a
 * container knows only what its own copy decorated), else the one beside this package.
 */
function globalContainer(): object {
  const places = [process.argv[1], import.meta.url].filter((place) => place !== undefined);
  for (const place of places) {
    try {
      const require = createRequire(place);
      // tsyringe refuses to load without it.
      createRequire(import.meta.url)('reflect-metadata');
      return (require('tsyringe') as { container: object }).container;
    } catch (error) {
      if (place === import.meta.url) throw error;
    }
  }
  throw new Error('unreachable');
}
