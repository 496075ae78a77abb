// Packages that one feature needs and that do not come with Mimas. Invariant: only that feature imports them, when it is used, and
// without them there is one error, which says what to install.
import { PackageMissingError } from './errors.js';

const GRPC = ['@grpc/grpc-js', '@grpc/proto-loader', '@grpc/reflection'] as const;

/** Feature to packages, in the order in which they are named. package.json has each as an optional peer. */
export const OPTIONAL_PACKAGES = {
  'metrics in the Prometheus format': ['prom-client'],
  'a launcher that serves gRPC': [...GRPC, 'prom-client'],
  'the gRPC client of a launcher': GRPC,
  'the control plane of a pipeline': GRPC,
  'running components as containers': ['dockerode'],
  'compiling standard decorators': ['esbuild'],
} as const satisfies Record<string, readonly string[]>;

export type OptionalFeature = keyof typeof OPTIONAL_PACKAGES;

// The comment goes into the declarations, which compile without the package as well; with it this is its class.
/** @ts-ignore */
export type PrometheusRegistry = import('prom-client').Registry;

const MISSING = /^(?:ERR_)?MODULE_NOT_FOUND$/;

/** For `import(…).catch(…)`: all packages of the feature in one command when one of them is not there; any other error as it is. */
export function missingFor(feature: OptionalFeature, hint = ''): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    const packages: readonly string[] = OPTIONAL_PACKAGES[feature];
    if (!MISSING.test(code ?? '') || !packages.some((name) => message.includes(name))) throw error;
    const command = `npm install ${packages.join(' ')}`;
    throw new PackageMissingError(`${feature} needs ${packages.length === 1 ? 'a package that does' : 'packages that do'} not come with Mimas: ${command}${hint}`, { feature, packages, command, cause: error });
  };
}
