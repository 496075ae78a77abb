#!/usr/bin/env node
// The `mimas` command. It only reads arguments: what a command does is in its own file, loaded when that command is asked for.
import './hide-token.js';
import { createRequire } from 'node:module';
import { Command, Option } from 'commander';
import * as launch from './commands/launch.js';
import * as patterns from './commands/patterns.js';
import { EXIT } from './exit-codes.js';
import { TOKEN_HELP } from './files.js';
import { onHangUp } from './output.js';
import { isPipelineFile, refuseForeign, registerPipeline, RUN_PIPELINE_OPTIONS } from './pipeline/register.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

const json = () => new Option('--json', 'one JSON object a line, for programs');
const isolation = () => new Option('--isolation <where>', 'where the process lives').choices(['worker', 'child']).default('worker');
const token = () => [
  new Option('--token <token>', `what callers must show; ${TOKEN_HELP}`).env('MIMAS_TOKEN'),
  new Option('--token-file <file>', 'a file that holds the token').conflicts('token'),
];
const tls = () => [
  new Option('--tls-cert <file>', 'certificate, PEM, for tls:// and wss://'),
  new Option('--tls-key <file>', 'its private key, PEM'),
  new Option('--tls-ca <file>', 'the authority that the other side must be signed by, PEM'),
];

function add(command: Command, ...options: (Option | Option[])[]): Command {
  for (const option of options.flat()) command.addOption(option);
  return command;
}

const program = new Command('mimas')
  .description('Runs, serves and calls processes: decorated TypeScript or JavaScript classes.')
  .version(version, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .showHelpAfterError('(mimas --help tells more)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
  .addHelpText('after', `
Exit codes:
  ${EXIT.done}  done, or stopped by Ctrl+C or SIGTERM after a graceful stop
  ${EXIT.failed}  the called method threw, or something unexpected happened
  ${EXIT.usage}  wrong usage: an unknown command or option, or a value that makes no sense
  ${EXIT.start}  the process could not be started
  ${EXIT.unreachable}  nothing answers at the address, or it refuses the token
  ${EXIT.exhausted}  the process failed more often than its restart policy allows

Examples:
  $ mimas run counter.process.ts
  $ mimas serve calculator.process.ts --listen tcp://127.0.0.1:4000 --token-file token.txt
  $ mimas call tcp://127.0.0.1:4000 add 5 3 --token-file token.txt`);

add(
  program
    .command('run')
    .summary('keep one process, or a pipeline, running in the foreground')
    .description('Starts one process and keeps it running: a crash restarts it. What it prints comes prefixed with its name. Ctrl+C stops it gracefully.\nWith a .yaml file it starts a whole pipeline, in the order of its dependencies, and stops it in reverse; a second Ctrl+C kills.')
    .argument('<file>', 'a .ts, .mts, .cts, .js, .mjs or .cjs file whose default export has @Process(), or a pipeline: .yaml or .yml'),
  isolation(),
  new Option('--name <name>', 'its name; default: the name in @Process()'),
  new Option('--max-memory <size>', "its heap limit, such as '512MB'"),
  new Option('--max-restarts <n>', 'restarts allowed within a minute').default('5'),
  new Option('--restart <when>', 'permanent: always; transient: after a failure; temporary: never').choices(['permanent', 'transient', 'temporary']).default('permanent'),
  json(),
  ...RUN_PIPELINE_OPTIONS,
)
  .addHelpText('after', '\nExamples:\n  $ mimas run counter.process.ts\n  $ mimas run ingest.process.ts --isolation child --max-memory 512MB --json\n  $ mimas run pipeline.yaml --orchestrator process --log-dir logs\n  $ mimas run pipeline.yaml --orchestrator container -d')
  .action(async (file: string, options: object, command: Command) => {
    refuseForeign(file, command);
    // A file of another tool goes to those who can name it.
    if (isPipelineFile(file) || (await import('../pipeline/foreign.js')).foreignByName(file) !== undefined) await (await import('./commands/run-pipeline.js')).runPipeline(file, options as never);
    else await (await import('./commands/run.js')).run(file, options as never);
  });

add(
  program
    .command('serve')
    .summary('let other programs call a process')
    .description('Starts one process, keeps it running, and serves it at an address. Prints the address, and the token that callers must show, unless you chose it.\nAn address that other machines can reach needs a token of your own.')
    .argument('<file>', 'a .ts, .mts, .cts, .js, .mjs or .cjs file whose default export has @Process()'),
  new Option('--listen <address>', 'tcp://host:port, tls://host:port, ws://host:port/path, wss://host:port/path or unix:/path; port 0 takes a free one').default('tcp://127.0.0.1:0'),
  token(),
  isolation(),
  new Option('--name <name>', 'its name; default: the name in @Process()'),
  tls(),
  json(),
)
  .addHelpText('after', '\nExamples:\n  $ mimas serve calculator.process.ts\n  $ MIMAS_TOKEN=$(cat token.txt) mimas serve calculator.process.ts --listen ws://127.0.0.1:4000/calculator\n  $ mimas serve calculator.process.ts --listen tls://0.0.0.0:4000 --token-file token.txt --tls-cert cert.pem --tls-key key.pem')
  .action(async (file: string, options: object) => (await import('./commands/serve.js')).serve(file, options as never));

add(
  program
    .command('call')
    .summary('call one method of a served process')
    .description('Calls one method and prints what it returns; of a stream, each item on a line of its own.')
    .argument('<address>', 'what `mimas serve` printed')
    .argument('<method>', 'a public method of the process')
    .argument('[args...]', 'its arguments, each as JSON; what is not JSON is taken as a text'),
  token(),
  new Option('--timeout <duration>', "longest run time, such as '30s'"),
  tls(),
  json(),
)
  .addHelpText('after', '\nExamples:\n  $ mimas call tcp://127.0.0.1:4000 add 5 3 --token-file token.txt\n  $ mimas call unix:/tmp/calc.sock countTo 10 --token-file token.txt --json\n  $ mimas call tcp://127.0.0.1:4000 add --token-file token.txt -- -5 3')
  .action(async (address: string, method: string, args: string[], options: object) => (await import('./commands/call.js')).call(address, method, args, options as never));

launch.register(program);
patterns.register(program);
registerPipeline(program);

const fullName = (command: Command): string => (command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name());

for (const command of program.commands.flatMap((one) => [one, ...one.commands])) command.exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage)).showHelpAfterError(`(${fullName(command)} --help tells more)`);

// `mimas call … | head` has had enough, and that is no error. Commands that keep something running stop it in order themselves.
const KEEP_RUNNING = ['run', 'serve', 'launch'];
program.hook('preAction', (_, command) => {
  // It has been read by now, and is not for what runs in this program.
  if (command.options.some(({ envVar }) => envVar === 'MIMAS_TOKEN')) delete process.env['MIMAS_TOKEN'];
  if (!KEEP_RUNNING.includes(command.name()) || command.parent !== program) onHangUp(() => process.exit(EXIT.done));
  else void import('../runtime/left-folders.js').then(({ sweepLeftFolders }) => sweepLeftFolders());
});

await program.parseAsync();
