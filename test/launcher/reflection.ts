// A gRPC client that knows nothing of the launcher but its address: it asks the server's reflection service what there is.
import { credentials, loadPackageDefinition, makeGenericClientConstructor, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const reflection = dirname(createRequire(import.meta.url).resolve('@grpc/reflection'));
const PROTO = join(reflection, '../proto/grpc/reflection/v1/reflection.proto');

interface Answer { fileDescriptorResponse?: { fileDescriptorProto: Buffer[] }; listServicesResponse?: { service: { name: string }[] }; errorResponse?: { errorMessage: string } }

export class ReflectingClient {
  readonly #address: string;
  readonly #credentials: ChannelCredentials;
  readonly metadata = new Metadata();
  readonly #closers: (() => void)[] = [];

  constructor(port: number, { token, channel = credentials.createInsecure() }: { token?: string; channel?: ChannelCredentials } = {}) {
    this.#address = `localhost:${port}`;
    this.#credentials = channel;
    if (token !== undefined) this.metadata.set('authorization', `Bearer ${token}`);
  }

  async services(): Promise<string[]> {
    const { listServicesResponse } = await this.#ask({ listServices: '*' });
    return listServicesResponse!.service.map(({ name }) => name).toSorted();
  }

  /** Calls `service/method` with plain objects in and out, in names of JSON, as grpcurl does. (protobufjs reads a described map as the list of pairs that it is on the wire.) */
  async call(method: string, request: object = {}, options: { deadline?: number } = {}): Promise<Record<string, unknown>> {
    const [service, name] = method.split('/') as [string, string];
    const client = await this.#client(service);
    return new Promise((resolve, reject) => {
      client[name]!(renamed(request, snake) as object, this.metadata, options, (error, response) => (error ? reject(error) : resolve(renamed(response, camel) as Record<string, unknown>)));
    });
  }

  /** Hears the messages of a server stream until the answer is called. */
  async stream(method: string, request: object, onMessage: (message: Record<string, unknown>) => void): Promise<() => void> {
    const [service, name] = method.split('/') as [string, string];
    const client = await this.#client(service);
    const call = (client[name] as unknown as (request: object, metadata: Metadata) => { on(event: string, listener: (value: never) => void): void; cancel(): void })(renamed(request, snake) as object, this.metadata);
    call.on('data', (message) => onMessage(renamed(message, camel) as never));
    call.on('error', () => {});
    return () => call.cancel();
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  async #client(service: string) {
    const { fileDescriptorResponse, errorResponse } = await this.#ask({ fileContainingSymbol: service });
    if (!fileDescriptorResponse) throw new Error(errorResponse?.errorMessage ?? 'no answer');
    // A FileDescriptorSet is a list of files in field 1.
    const set = Buffer.concat(fileDescriptorResponse.fileDescriptorProto.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
    const definition = loadFileDescriptorSetFromBuffer(set, { enums: String, longs: String, defaults: true })[service];
    const Client = makeGenericClientConstructor(definition as never, service);
    const client = new Client(this.#address, this.#credentials);
    this.#closers.push(() => client.close());
    return client as unknown as Record<string, (request: object, metadata: Metadata, options: object, done: (error: ServiceError | null, response: Record<string, unknown>) => void) => void>;
  }

  #ask(question: object): Promise<Answer> {
    const packages = loadPackageDefinition(loadSync(PROTO, { bytes: Buffer })) as never as { grpc: { reflection: { v1: { ServerReflection: new (address: string, credentials: ChannelCredentials) => { serverReflectionInfo(metadata: Metadata): import('node:stream').Duplex; close(): void } } } } };
    const client = new packages.grpc.reflection.v1.ServerReflection(this.#address, this.#credentials);
    return new Promise<Answer>((resolve, reject) => {
      const call = client.serverReflectionInfo(this.metadata);
      call.on('data', (answer: Answer) => {
        resolve(answer);
        call.end();
      });
      call.on('error', reject);
      call.write(question);
    }).finally(() => client.close());
  }
}

/** A .proto file says `pattern_name`, its JSON `patternName`. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [rename(name), renamed(one, rename)]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}
