// The commands for pipelines. What they do is loaded when they are asked for.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { closest } from '../../errors.js';

const pipeline = () => new Option('-p, --pipeline <name>', 'which pipeline; not needed when only one runs');
const folder = () => new Option('--folder <folder>', 'the folder of its file, when this one has a pipeline of its own');
const json = () => new Option('--json', 'one JSON object a line, for programs');
const TYPES = ['process', 'container', 'docker'];
function orchestratorType(type: string): string {
  if (TYPES.includes(type)) return type;
  const suggestion = closest(type, TYPES);
  throw new InvalidArgumentError(`unknown orchestrator type: ${type}; ${suggestion ? `did you mean '${suggestion}'?` : `there are ${TYPES.join(', ')}`}`);
}
const envFile = () => new Option('--env-file <file...>', "files of variables for ${…}; default: .env beside the pipeline file");

/** Options of `mimas run` that only a pipeline has. */
export const RUN_PIPELINE_OPTIONS: readonly Option[] = [
  new Option('--orchestrator <type>', 'where components run: process, container or docker (the same); default: spec.driver, else process').argParser(orchestratorType),
  new Option('--plain', 'only what happens to the pipeline, no output of components'),
  new Option('--log-dir <folder>', "where components' logs go").default('logs'),
  new Option('-d, --detach', 'run in the background; returns when the pipeline is up'),
  new Option('--detached').hideHelp(),
  new Option('--watch', 'take over changes of the pipeline file while it runs'),
  envFile(),
  new Option('--control-plane-port <port>', 'of the control plane; 0 takes a free one (default: 8080, or a free one when that is taken)'),
  new Option('--control-plane-address <host>', 'where the control plane listens; default: 127.0.0.1, with containers also the gateway of their network'),
  new Option('--control-plane-register <who>', 'components: with the token that each is given, and under its own id only; for those that cannot show one, user: programs of this user, or anyone').choices(['components', 'user', 'anyone']).default('components'),
  new Option('--control-plane-read <who>', 'who may list and look up components there').choices(['components', 'user', 'anyone']).default('components'),
  new Option('--no-control-plane', 'without a control plane'),
  new Option('--heartbeat-ttl <duration>', 'a component that is silent for so long is unhealthy').default('30s'),
  new Option('--janitor-interval <duration>', 'how often silence is looked for').default('10s'),
  new Option('--no-rewrite-localhost', 'leave localhost:<port> in variables of containers as it is'),
];

const PROCESS_ONLY = ['isolation', 'name', 'maxMemory', 'maxRestarts', 'restart'];

export const isPipelineFile = (file: string): boolean => /\.ya?ml$/i.test(file);

/** Ends with a usage error when an option was given that means nothing for this kind of file. */
export function refuseForeign(file: string, command: Command): void {
  const isPipeline = isPipelineFile(file);
  const foreign = isPipeline ? PROCESS_ONLY : RUN_PIPELINE_OPTIONS.map((option) => option.attributeName());
  const given = command.options.find((option) => foreign.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli');
  if (given) command.error(`error: ${given.long} is an option for ${isPipeline ? 'a process file, not for a pipeline' : 'a pipeline (.yaml), not for a process file'}`);
}

const add = (command: Command, ...options: Option[]): Command => {
  for (const option of options) command.addOption(option);
  return command;
};

export function registerPipeline(program: Command): void {
  const operations = () => import('../commands/pipeline-operations.js');
  add(program.command('validate').summary('check pipeline files').description('Checks pipeline files and says what is wrong, with file, line and column.').argument('[files...]', 'pipeline files'), new Option('--schema', 'print the JSON Schema of pipeline files'), new Option('--orchestrator <type>', 'also check what only this orchestrator refuses; default: spec.driver').argParser(orchestratorType), envFile(), json())
    .action(async (files: string[], flags: object) => (await import('../commands/validate.js')).validate(files, flags));
  add(program.command('ps').summary('show running pipelines').description('Shows the pipelines that run on this machine, and their components.'), pipeline(), json())
    .action(async (flags: object) => (await operations()).ps(flags));
  add(
    program.command('logs').summary('show what components printed').argument('[component]', 'default: all'),
    new Option('-f, --follow', 'go on with what they print from now on'),
    new Option('--tail <lines>', 'so many of the last lines of each').default('100'),
    pipeline(),
    json(),
  ).action(async (id: string | undefined, flags: object) => (await operations()).logs(id, flags as never));
  add(program.command('stop').summary('stop a component of a running pipeline').argument('<component>', 'a component, or one replica'), pipeline(), folder(), json())
    .action(async (id: string, flags: object) => (await operations()).stop(id, flags));
  add(program.command('restart').summary('restart a component of a running pipeline').argument('<component>', 'a component, or one replica'), pipeline(), folder(), json())
    .action(async (id: string, flags: object) => (await operations()).restart(id, flags));
  add(program.command('scale').summary('change the number of replicas of a component').argument('<component>').argument('<replicas>', 'how many'), pipeline(), folder(), json())
    .action(async (id: string, replicas: string, flags: object) => (await operations()).scale(id, replicas, flags));
  add(program.command('up').alias('reload').summary('take over changes of the pipeline file, or start it').description('Reads the file of a running pipeline again and starts, stops and restarts only what has changed, has failed or was skipped.\nWhere it does not run, it is started in the background, as `mimas run -d` does.').argument('[file]', 'default: pipeline.yaml or flow.yml in this folder'), pipeline(), folder(), json())
    .action(async (file: string | undefined, flags: object) => (await operations()).up(file, flags));
  add(program.command('down').summary('stop a running pipeline').argument('[name]', 'not needed when only one runs'), new Option('--kill', 'at once'), pipeline(), folder(), json())
    .action(async (name: string | undefined, flags: object) => (await operations()).down(name, flags));
  add(program.command('attach').summary('follow a running pipeline in this terminal'), pipeline(), json())
    .action(async (flags: object) => (await operations()).attach(flags));
}
