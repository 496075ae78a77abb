// `mimas launch`: a launcher of patterns in the foreground, served over gRPC and HTTP. The launcher itself is loaded when asked for.
import { Option, type Command } from 'commander';
import { printable } from '../../printable.js';
import { exitCodeOf, EXIT, SIGNAL_BASE, STOP_SIGNALS } from '../exit-codes.js';
import { readTls, readToken, TOKEN_HELP, type TlsFlags, type TokenFlags } from '../files.js';
import { complain, event, note, onHangUp, say } from '../output.js';

interface LaunchFlags extends Omit<TokenFlags, 'token'>, TlsFlags {
  /** False: `--no-token`. */
  token?: string | false;
  patternsDir: string;
  host: string;
  grpcPort: string;
  metricsPort: string;
  isolation?: 'none' | 'namespace' | 'session';
  preset?: 'development' | 'production';
  resyncInterval?: string;
  backoffPeriod?: string;
  gracePeriod?: string;
  stateDir?: string;
  leftovers?: 'stop' | 'adopt';
  cpuLimit?: string;
  memoryLimit?: string;
  maxProcesses?: string;
  maxConcurrentStarts?: string;
  orphanInterval?: string;
  watch?: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('launch')
    .summary('launch patterns (any executables) on demand')
    .description('Reads the manifests of a folder and launches its patterns on demand over gRPC: one process for all, for a namespace, or for a session.\nCallers show a token. One is made at the start, and printed; `mimas patterns` of the same user finds it by itself. With --state-dir it is\nkept there, in the file `token`, and stays the same.\nCtrl+C ends all processes gracefully.')
    .option('--patterns-dir <dir>', 'the folder with a folder for each pattern', './patterns')
    .option('--host <host>', 'where to listen; an address that others reach needs a token of your own', '127.0.0.1')
    .option('--grpc-port <port>', '0 takes a free one', '8080')
    .option('--metrics-port <port>', 'HTTP with /metrics, /metrics.json, /health and /ready; 0 takes a free one', '9092')
    .addOption(new Option('--isolation <level>', 'for requests and manifests that name none (default: namespace)').choices(['none', 'namespace', 'session']))
    .addOption(new Option('--preset <name>', 'defaults for the options below').choices(['development', 'production']))
    .option('--resync-interval <duration>', 'look at each process at least this often (default: 30s)')
    .option('--backoff-period <duration>', 'the longest wait before a restart (default: 5s)')
    .option('--grace-period <duration>', 'from SIGTERM to SIGKILL (default: 10s)')
    .option('--state-dir <dir>', 'remembers processes for a successor; one launcher a folder')
    .addOption(new Option('--leftovers <what>', 'what becomes of a predecessor’s processes (default: stop)').choices(['stop', 'adopt']))
    .option('--cpu-limit <cores>', 'for manifests that name none')
    .option('--memory-limit <size>', 'for manifests that name none, such as 1Gi')
    .option('--max-processes <n>', 'at most so many at a time')
    .option('--max-concurrent-starts <n>', 'at most so many starts at a time, the others wait')
    .option('--orphan-interval <duration>', 'how often processes that got away from their group are looked for (default: 60s)')
    .option('--watch', 'reload when a manifest changes')
    .addOption(new Option('--token <token>', `what callers must show, instead of one that is made; ${TOKEN_HELP}`).env('MIMAS_TOKEN'))
    .addOption(new Option('--token-file <file>', 'a file that holds the token').conflicts('token'))
    .option('--no-token', 'callers show none: every user of this machine can start programs as you; at loopback only')
    .option('--tls-cert <file>', 'certificate, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--tls-ca <file>', 'callers need a certificate that this authority signed, PEM')
    .option('--json', 'one JSON object a line; the first holds the ports')
    .addHelpText('after', '\nExamples:\n  $ mimas launch --patterns-dir ./patterns --grpc-port 8080\n  $ mimas launch --patterns-dir ./patterns --grpc-port 0 --metrics-port 0 --state-dir ./state --json')
    .action((flags: LaunchFlags) => run(flags));
}

async function run(flags: LaunchFlags): Promise<void> {
  const { json } = flags;
  try {
    const { createLauncher } = await import('../../launcher/index.js');
    const chosen = flags.token === false ? false : readToken(flags as TokenFlags);
    const tls = readTls(flags);
    if (tls && !(tls.cert && tls.key)) throw usage('--tls-cert and --tls-key belong together');
    // The first line of all holds the ports: programs read them from it. What is said before waits.
    let early: (() => void)[] | undefined = [];
    const tell = (name: string, detail: object) => (early ? void early.push(() => event(name, detail)) : event(name, detail));
    const launcher = await createLauncher({
      preset: flags.preset,
      patternsDir: flags.patternsDir,
      defaultIsolation: flags.isolation,
      resyncInterval: flags.resyncInterval,
      backOffPeriod: flags.backoffPeriod,
      gracePeriod: flags.gracePeriod,
      stateDir: flags.stateDir,
      leftovers: flags.leftovers,
      cpuLimit: flags.cpuLimit,
      memoryLimit: flags.memoryLimit,
      maxProcesses: flags.maxProcesses === undefined ? undefined : Number(flags.maxProcesses),
      maxConcurrentStarts: flags.maxConcurrentStarts === undefined ? undefined : Number(flags.maxConcurrentStarts),
      orphanInterval: flags.orphanInterval,
      watch: flags.watch,
      ...(json && { log: (line) => tell('log', { line }), onOutput: ({ id, line, stream }) => tell('output', { id, stream, line }) }),
    });
    try {
      const server = await launcher.serve({
        host: flags.host,
        grpcPort: port(flags.grpcPort, '--grpc-port'),
        metricsPort: port(flags.metricsPort, '--metrics-port'),
        token: chosen,
        tls: tls && { cert: tls.cert as string, key: tls.key as string, ca: tls.ca as string | undefined },
      });
      const { grpcPort, metricsPort, tokenFile } = server;
      // One that somebody chose is a secret that they know already.
      const made = chosen === undefined ? server.token : undefined;
      if (json) {
        say(JSON.stringify({ grpcPort, metricsPort, token: made, tokenFile }));
        for (const say of early) say();
        early = undefined;
      } else {
        say(`Launcher service started on ${server.host}:${grpcPort}, metrics on http${tls ? 's' : ''}://${server.host}:${metricsPort}/metrics`);
        if (made !== undefined) say(`token ${made}${tokenFile === undefined ? '' : `, also in ${tokenFile}`}`);
        say(`${launcher.registry.count} patterns: ${launcher.registry.list().map(({ name }) => printable(name)).join(', ')}`);
      }
      await new Promise<void>((resolve) => {
        let asked = false;
        for (const [signal, number] of Object.entries(STOP_SIGNALS)) {
          process.on(signal, () => {
            // Once more: now. The guardian ends what is left, or with --leftovers adopt the next launcher takes it over.
            if (asked) process.exit(SIGNAL_BASE + number);
            asked = true;
            if (!json) note('stopping; once more to leave at once');
            resolve();
          });
        }
        onHangUp(() => {
          asked = true;
          resolve();
        });
      });
    } finally {
      await launcher.shutdown();
    }
    process.exit(EXIT.done);
  } catch (error) {
    complain(error, json);
    const { suggestion } = error as { suggestion?: string };
    if (suggestion && !json) note(`mimas: ${suggestion}`);
    const holder = json ? undefined : await pipelineAt(Number((error as { context?: { port?: unknown } }).context?.port));
    if (holder !== undefined) note(`mimas: ${holder}`);
    process.exitCode = (error as { code?: unknown }).code === 'INVALID_CONFIGURATION' ? EXIT.usage : exitCodeOf(error);
  }
}

/** Both have 8080 by default. */
async function pipelineAt(port: number): Promise<string | undefined> {
  if (!(port > 0)) return undefined;
  try {
    const [{ runningPipelines }, { statusOfPipeline }] = await Promise.all([import('../../pipeline/runtime-folder.js'), import('../../pipeline/operations-client.js')]);
    for (const name of await runningPipelines()) {
      const { endpoint, file } = await statusOfPipeline(name);
      if (endpoint !== undefined && Number(new URL(endpoint).port) === port) return `port ${port} is that of the control plane of pipeline ${name} (${file}), which can have another one: mimas run --control-plane-port 0`;
    }
  } catch {
    // Nothing more is known.
  }
  return undefined;
}

function port(text: string, option: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65535 && text.trim() !== '') return value;
  throw usage(`${option} must be a port from 0 to 65535, got ${text}`);
}

const usage = (message: string) => Object.assign(new Error(message), { code: 'INVALID_CONFIGURATION', name: 'UsageError' });
