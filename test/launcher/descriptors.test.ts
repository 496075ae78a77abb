// What reflection serves: descriptor sets as protoc makes them, current with the .proto files, and accepted by a client that has
// nothing in common with the library that serves them.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlPlane } from '../../src/pipeline/control-plane.js';
import { filesOf } from '../../src/runtime/proto-descriptors.js';
import { root } from '../helpers/compile.js';
import { start } from './helpers.js';

const require = createRequire(createRequire(import.meta.url).resolve('@grpc/proto-loader'));
const protobuf = require('protobufjs') as typeof import('protobufjs');
const { FileDescriptorProto } = require('protobufjs/ext/descriptor') as { FileDescriptorProto: import('protobufjs').Type };

const SETS = [
  ['src/launcher/proto/descriptors.pb', { 'prism/launcher/launcher.proto': 'src/launcher/proto/launcher.proto', 'grpc/health/v1/health.proto': 'src/launcher/proto/health.proto' }, []],
  ['src/pipeline/proto/descriptors.pb', { 'flowctl/v1/control_plane.proto': 'src/pipeline/proto/control_plane.proto' }, ['google/protobuf/empty.proto', 'google/protobuf/timestamp.proto']],
] as const;

interface Field { name: string; number: number; label: string; type: string; typeName?: string }
interface Message { name: string; field?: Field[]; nestedType?: (Message & { options?: { mapEntry?: boolean } })[]; enumType?: Enum[] }
interface Enum { name: string; value: { name: string; number: number }[] }
interface Method { name: string; inputType: string; outputType: string; clientStreaming?: boolean; serverStreaming?: boolean }
interface File { name: string; package: string; syntax: string; dependency?: string[]; messageType?: Message[]; enumType?: Enum[]; service?: { name: string; method: Method[] }[] }

const compiled = (set: string): File[] => filesOf(readFileSync(join(root, set))).map((file) => FileDescriptorProto.toObject(FileDescriptorProto.decode(file), { enums: String, arrays: false }) as File);

/** One line for each field, value and method of a compiled file. */
function linesOf(file: File): string[] {
  const scalar = (type: string) => type.replace('TYPE_', '').toLowerCase();
  const typeOf = ({ type, typeName }: Field) => (type === 'TYPE_MESSAGE' || type === 'TYPE_ENUM' ? typeName!.slice(1) : scalar(type));
  const ofEnum = (at: string, one: Enum) => one.value.map(({ name, number }) => `enum ${at}.${one.name} ${name} = ${number}`);
  const ofMessage = (at: string, message: Message): string[] => {
    const path = `${at}.${message.name}`;
    const entries = new Map((message.nestedType ?? []).filter(({ options }) => options?.mapEntry).map((one) => [`${path}.${one.name}`, one.field!]));
    const fields = (message.field ?? []).map((field) => {
      const entry = entries.get(field.typeName?.slice(1) ?? '');
      const type = entry ? `map<${typeOf(entry[0]!)}, ${typeOf(entry[1]!)}>` : `${field.label === 'LABEL_REPEATED' ? 'repeated ' : ''}${typeOf(field)}`;
      return `${type} ${path}.${field.name} = ${field.number}`;
    });
    return [...fields, ...(message.enumType ?? []).flatMap((one) => ofEnum(path, one)), ...(message.nestedType ?? []).filter(({ options }) => !options?.mapEntry).flatMap((one) => ofMessage(path, one))];
  };
  const methods = (file.service ?? []).flatMap((service) => service.method.map(({ name, inputType, outputType, clientStreaming, serverStreaming }) => `rpc ${file.package}.${service.name}.${name}(${clientStreaming ? 'stream ' : ''}${inputType.slice(1)}) returns (${serverStreaming ? 'stream ' : ''}${outputType.slice(1)})`));
  return [...(file.messageType ?? []).flatMap((one) => ofMessage(file.package, one)), ...(file.enumType ?? []).flatMap((one) => ofEnum(file.package, one)), ...methods].toSorted();
}

/** The same of a .proto file, by another compiler. */
function linesOfSource(path: string): string[] {
  const { root: parsed } = protobuf.parse(readFileSync(path, 'utf8').replace(/^import .*$/gm, ''), new protobuf.Root(), { keepCase: true });
  for (const common of ['google.protobuf.Empty', 'google.protobuf.Timestamp']) {
    if (!parsed.lookup(common)) parsed.define('google.protobuf').add(new protobuf.Type(common.split('.').at(-1)!));
  }
  const name = (one: { fullName: string }) => one.fullName.slice(1);
  const lines: string[] = [];
  const walk = (space: import('protobufjs').NamespaceBase): void => {
    for (const one of space.nestedArray) {
      one.resolve();
      if (name(one).startsWith('google')) continue;
      if (one instanceof protobuf.Enum) for (const [value, number] of Object.entries(one.values)) lines.push(`enum ${name(one)} ${value} = ${number}`);
      if (one instanceof protobuf.Type) {
        for (const field of one.fieldsArray) {
          field.resolve();
          const type = field.resolvedType ? name(field.resolvedType) : field.type;
          lines.push(`${field instanceof protobuf.MapField ? `map<${field.keyType}, ${type}>` : `${field.repeated ? 'repeated ' : ''}${type}`} ${name(one)}.${field.name} = ${field.id}`);
        }
      }
      if (one instanceof protobuf.Service) {
        for (const method of one.methodsArray) {
          method.resolve();
          lines.push(`rpc ${name(one)}.${method.name}(${method.requestStream ? 'stream ' : ''}${name(method.resolvedRequestType!)}) returns (${method.responseStream ? 'stream ' : ''}${name(method.resolvedResponseType!)})`);
        }
      }
      if (one instanceof protobuf.Namespace) walk(one);
    }
  };
  walk(parsed);
  return lines.toSorted();
}

describe.each(SETS)('%s', (set, protos, imports) => {
  it.each(Object.entries(protos))('says of %s what the file says', (name, source) => {
    const file = compiled(set).find((one) => one.name === name)!;
    expect(file.syntax).toBe('proto3');
    const lines = linesOf(file);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines).toEqual(linesOfSource(join(root, source)));
  });

  it('has its imports with it', () => {
    const files = compiled(set);
    expect(files.map(({ name }) => name).toSorted()).toEqual([...imports, ...Object.keys(protos)].toSorted());
    expect(files.flatMap(({ dependency = [] }) => dependency).toSorted()).toEqual(imports);
  });
});

const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const protoc = has('protoc', '--version');
if (!protoc) console.warn('SKIPPED: there is no protoc here (protobuf-compiler of Debian)');

it.skipIf(!protoc)('the sets are, byte by byte, what protoc makes of the files today', () => {
  expect(spawnSync(process.execPath, [join(root, 'scripts/descriptors.mjs'), '--check'], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
});

/** Debian's own comes first: its packages are not seen by others. */
const python = ['/usr/bin/python3', 'python3'].find((one) => has(one, '-c', 'import grpc, google.protobuf'));
if (python === undefined) console.warn('SKIPPED: there is no Python with gRPC here (python3-grpcio of Debian, python3-grpcio-reflection where it can be had)');

interface Told { services: string[]; methods: Record<string, string[]>; maps: Record<string, string>; imports: Record<string, string[]>; launched?: object }

describe.skipIf(python === undefined)('Python’s gRPC, by reflection alone', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function ask(port: number | string, token?: string): Promise<Told> {
    const child = spawn(python!, [join(root, 'test/fixtures/reflection/client.py'), `127.0.0.1:${port}`, ...(token === undefined ? [] : [token])], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(err).not.toContain('Traceback');
    return JSON.parse(out) as Told;
  }

  it.each([false, true])('knows the launcher, makes its messages, and launches (with a token: %s)', async (secret) => {
    const { launcher } = await start({ p: { config: 'GREETING' } });
    const { grpcPort, token } = await launcher.serve({ grpcPort: 0, metricsPort: 0, ...(secret ? {} : { token: false }) });
    expect(await ask(grpcPort, token)).toMatchObject({
      services: ['grpc.health.v1.Health', 'prism.launcher.PatternLauncher'],
      imports: { 'prism/launcher/launcher.proto': [], 'grpc/health/v1/health.proto': [] },
      maps: { 'prism.launcher.LaunchRequest.config': 'ConfigEntry', 'prism.launcher.HealthResponse.isolation_distribution': 'IsolationDistributionEntry' },
      launched: { process_id: 'ns:py:p', state: 'STATE_RUNNING', healthy: true },
    });
  });

  it('knows the control plane, with what it imports', async () => {
    const plane = new ControlPlane({ port: 0 });
    open.push(plane);
    const { port } = new URL(await plane.listen({ listen: ['127.0.0.1'], tell: 'localhost' }));
    expect(await ask(port)).toMatchObject({
      services: ['flowctl.v1.ControlPlaneService'],
      imports: { 'flowctl/v1/control_plane.proto': ['google/protobuf/empty.proto', 'google/protobuf/timestamp.proto'] },
      methods: { 'flowctl.v1.ControlPlaneService.Heartbeat': ['flowctl.v1.HeartbeatRequest', 'google.protobuf.Empty'] },
      maps: { 'flowctl.v1.RegisterResponse.connection_info': 'ConnectionInfoEntry' },
    });
  });
});
