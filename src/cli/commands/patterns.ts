// `mimas patterns`: asks a running launcher over gRPC. Any other gRPC client can do the same.
import { Option, type Command } from 'commander';
import type { ChannelCredentials, Client, Metadata, ServiceError } from '@grpc/grpc-js';
import { InvalidOptionError } from '../../errors.js';
import { missingFor } from '../../optional.js';
import { parseDuration } from '../../units.js';
import { EXIT } from '../exit-codes.js';
import { readTls, readToken, TOKEN_HELP, type TlsFlags, type TokenFlags } from '../files.js';
import { printable, printableLines } from '../../printable.js';
import { complain, note, say, toJson } from '../output.js';

interface Flags extends TokenFlags, TlsFlags {
  address: string;
  json?: boolean;
}
interface Info { patternName: string; processId: string; state: string; address: string; healthy: boolean; uptimeSeconds: number; lastError: string; errorCount: number; restartCount: number; pid: number }
type Ask = <Answer>(method: string, request: object) => Promise<Answer>;

/** gRPC status to exit code. */
const EXITS: Readonly<Record<number, number>> = { 3: EXIT.usage, 7: EXIT.usage, 13: EXIT.start, 9: EXIT.start, 8: EXIT.start, 14: EXIT.unreachable, 16: EXIT.unreachable, 4: EXIT.unreachable };
/** The launcher is asked to answer within this time; starts and ends take theirs. */
const QUICK_MS = 10_000;

function common(command: Command): Command {
  return command
    .option('--address <host:port>', 'of the launcher', '127.0.0.1:8080')
    .addOption(new Option('--token <token>', `what the launcher asks for; not needed for a launcher of this user that made its own; ${TOKEN_HELP}`).env('MIMAS_TOKEN'))
    .addOption(new Option('--token-file <file>', 'a file that holds the token').conflicts('token'))
    .option('--tls-ca <file>', 'the authority that signed the launcher’s certificate, PEM')
    .option('--tls-cert <file>', 'a certificate of one’s own, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--json', 'one JSON object, for programs');
}

export function register(program: Command): void {
  const patterns = program.command('patterns').summary('what a running launcher has launched').description('Lists, launches and ends the processes of a running `mimas launch`.').addHelpText('after', '\nExamples:\n  $ mimas patterns list\n  $ mimas patterns launch hello-pattern --namespace my-app\n  $ mimas patterns stop ns:my-app:hello-pattern --grace 10');
  common(patterns.command('list').description('The processes that there are.'))
    .option('--pattern <name>', 'of this pattern only')
    .option('--namespace <name>', 'of this namespace only')
    .action((flags: Flags & { pattern?: string; namespace?: string }) => withLauncher(flags, async (ask) => {
      const { patterns: list } = await ask<{ patterns: Info[] }>('ListPatterns', { patternName: flags.pattern ?? '', namespace: flags.namespace ?? '' });
      if (flags.json) say(toJson({ patterns: list }));
      else if (list.length === 0) note('no processes');
      else table(list);
    }));
  common(patterns.command('launch').description('Gives the process of a pattern for this key, started if it does not run.').argument('<pattern>', 'its name in manifest.yaml'))
    .addOption(new Option('--isolation <level>', 'default: the manifest’s').choices(['none', 'namespace', 'session']))
    .option('--namespace <name>', 'the tenant')
    .option('--session <id>', 'the session')
    .option('--config <name=value...>', 'environment variables that its manifest lets requests set')
    .option('--grace <seconds>', 'its grace when it is ended without one')
    .action((pattern: string, flags: Flags & { isolation?: string; namespace?: string; session?: string; config?: string[]; grace?: string }) => withLauncher(flags, async (ask) => {
      const isolation = flags.isolation === undefined ? 'ISOLATION_LEVEL_UNSPECIFIED' : `ISOLATION_${flags.isolation.toUpperCase()}`;
      const config = Object.fromEntries((flags.config ?? []).map(variable));
      const answer = await ask<{ processId: string; address: string; healthy: boolean }>('LaunchPattern', { patternName: pattern, isolation, namespace: flags.namespace ?? '', sessionId: flags.session ?? '', config, gracePeriodSecs: seconds(flags.grace) });
      if (flags.json) return say(toJson(answer));
      say('✓ Pattern launched successfully!');
      say(`  Process ID: ${printable(answer.processId)}`);
      say(`  Address: ${printable(answer.address)}`);
      say(`  Healthy: ${answer.healthy}`);
    }));
  common(patterns.command('stop').description('Ends a process: SIGTERM, the grace, SIGKILL.').argument('<id>', 'as `mimas patterns list` shows it'))
    .option('--grace <seconds>', 'from SIGTERM to SIGKILL')
    .option('--force', 'SIGKILL at once')
    .action((processId: string, flags: Flags & { grace?: string; force?: boolean }) => withLauncher(flags, async (ask) => {
      const answer = await ask<{ success: boolean; error: string }>('TerminatePattern', { processId, gracePeriodSecs: seconds(flags.grace), force: flags.force ?? false });
      if (flags.json) say(toJson(answer));
      else if (answer.success) say(`${printable(processId)} is stopped`);
      else note(`mimas: ${answer.error}`);
      if (!answer.success) process.exitCode = EXIT.failed;
    }));
  common(patterns.command('status').description('The facts of one process; without an id, the health of the launcher.').argument('[id]', 'as `mimas patterns list` shows it'))
    .action((processId: string | undefined, flags: Flags) => withLauncher(flags, async (ask) => {
      if (processId === undefined) {
        const health = await ask<object>('Health', { includeProcesses: false });
        return say(flags.json ? toJson(health) : printableLines(JSON.stringify(health, null, 2)));
      }
      const { process: info, notFound } = await ask<{ process: Info | null; notFound: boolean }>('GetProcessStatus', { processId });
      if (notFound || !info) {
        process.exitCode = EXIT.failed;
        return flags.json ? say(toJson({ notFound: true })) : note(`mimas: process not found: ${processId}`);
      }
      say(flags.json ? toJson(info) : printableLines(JSON.stringify(info, null, 2)));
    }));
}

function variable(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new InvalidOptionError(`--config: ${JSON.stringify(pair)} is not name=value`, { option: '--config' });
  return [pair.slice(0, at), pair.slice(at + 1)];
}

/** The message has whole seconds, and 0 for the default. */
function seconds(grace: string | undefined): number {
  if (grace === undefined) return 0;
  const ms = /^\d+$/.test(grace) ? Number(grace) * 1000 : parseDuration(grace, '--grace');
  if (ms >= 1000 && ms % 1000 === 0) return ms / 1000;
  throw new InvalidOptionError(`--grace: ${JSON.stringify(grace)} is not a whole number of seconds of at least 1 (--force ends it at once)`, { option: '--grace' });
}

async function withLauncher(flags: Flags, act: (ask: Ask) => Promise<void>): Promise<void> {
  let client: Client | undefined;
  const missing = missingFor('the gRPC client of a launcher');
  try {
    const [{ credentials, Metadata }, { launcherClient }, { findLauncher }] = await Promise.all([import('@grpc/grpc-js').catch(missing), import('../../launcher/grpc-server.js').catch(missing), import('../../launcher/token-store.js')]);
    const tls = readTls(flags);
    const pem = (value: unknown) => (value === undefined ? null : Buffer.from(value as string));
    const channel: ChannelCredentials = tls ? credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert)) : credentials.createInsecure();
    const metadata: Metadata = new Metadata();
    const given = readToken(flags);
    const found = given === undefined ? findLauncher(flags.address) : undefined;
    const token = given ?? found?.token;
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    // Where it was found, by number: a name may lead to somebody else. With TLS the name is in the certificate, which proves it.
    client = new (launcherClient())(found && !tls ? found.address : flags.address, channel);
    const stub = client as unknown as Record<string, (request: object, metadata: Metadata, options: object, done: (error: ServiceError | null, answer: never) => void) => void>;
    await act((method, request) => new Promise((resolve, reject) => {
      const slow = method === 'LaunchPattern' || method === 'TerminatePattern';
      stub[method]!(request, metadata, slow ? {} : { deadline: Date.now() + QUICK_MS }, (error, answer) => (error ? reject(error) : resolve(answer)));
    }));
  } catch (error) {
    const { code, details } = error as Partial<ServiceError>;
    if (typeof code !== 'number') {
      complain(error, flags.json);
      process.exitCode = EXIT.usage;
      return;
    }
    // A status of gRPC: its library, and with it this one, is loaded by now.
    const { ERROR_CODE_METADATA } = await import('../../launcher/grpc-service.js');
    const own = (error as ServiceError).metadata?.get(ERROR_CODE_METADATA)[0];
    // No answer at all: the library tells how it tried, not where, nor what to do.
    const silent = EXITS[code] === EXIT.unreachable && details?.startsWith('No connection established');
    const message = silent ? `no launcher answers at ${flags.address}: ${details}; \`mimas launch\` starts one, --address names another, --tls-ca is for one with TLS` : details;
    if (flags.json) note(toJson({ error: { code: own === undefined ? code : String(own), message } }));
    else note(`mimas: ${message}`);
    process.exitCode = EXITS[code] ?? EXIT.failed;
  } finally {
    client?.close();
  }
}

function table(list: readonly Info[]): void {
  const rows = [['PROCESS', 'STATE', 'HEALTHY', 'PID', 'ADDRESS', 'UPTIME', 'RESTARTS', 'ERRORS'], ...list.map((info) => [
    info.processId, info.state.replace('STATE_', ''), String(info.healthy), info.pid > 0 ? String(info.pid) : '-', info.address || '-', `${info.uptimeSeconds}s`, String(info.restartCount), String(info.errorCount),
  ].map(printable))];
  const widths = rows[0]!.map((_, column) => rows.reduce((most, row) => Math.max(most, row[column]!.length), 0));
  for (const row of rows) say(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
}
