// The gRPC service definition, loaded as its guide says.
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const file = fileURLToPath(new URL('../serve/work.proto', import.meta.url));
export const { Work } = loadPackageDefinition(loadSync(file, { keepCase: true })).bench;
