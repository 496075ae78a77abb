// `mimas validate`: what is wrong with a pipeline file, without running anything.
import { formatProblems, MOST_PROBLEMS } from '../../pipeline/problems.js';
import { pipelineJsonSchema } from '../../pipeline/json-schema.js';
import { readPipeline } from '../../pipeline/parse.js';
import { plan } from '../../pipeline/plan.js';
import { refusalsOf } from '../../pipeline/refusals.js';
import { printable } from '../../printable.js';
import { EXIT } from '../exit-codes.js';
import { note, say, toJson } from '../output.js';
import { orchestratorFor } from '../pipeline/orchestrators.js';

export interface ValidateFlags { json?: boolean; envFile?: string[]; schema?: boolean; orchestrator?: 'process' | 'container' | 'docker' }

export async function validate(files: readonly string[], { json, envFile, schema, orchestrator }: ValidateFlags): Promise<void> {
  if (schema) return say(JSON.stringify(pipelineJsonSchema(), null, 2));
  if (files.length === 0) {
    note('mimas: name a pipeline file');
    process.exitCode = EXIT.usage;
    return;
  }
  let valid = true;
  for (const file of files) {
    const read = readPipeline(file, envFile?.length ? { envFiles: envFile } : {});
    const { sound } = read;
    const type = orchestrator ?? sound?.driver;
    const refused = sound && type ? refusalsOf(sound, await orchestratorFor(type)) : [];
    const pipeline = refused.length > 0 ? undefined : read.pipeline;
    const problems = [...read.problems, ...refused];
    valid &&= pipeline !== undefined;
    if (json) say(toJson({ file, valid: pipeline !== undefined, problems: problems.slice(0, MOST_PROBLEMS), more: read.more + Math.max(0, problems.length - MOST_PROBLEMS) }));
    else if (pipeline) {
      const made = plan(pipeline.components);
      say(`${printable(file)}: ${pipeline.name} is valid; start order: ${'levels' in made ? made.levels.map((level) => level.join(', ')).join(' → ') : ''}`);
    } else for (const line of formatProblems(problems, read.more)) note(line);
  }
  if (!valid) process.exitCode = EXIT.usage;
}
