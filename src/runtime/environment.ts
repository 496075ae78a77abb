// The environment of a process.

/** Whether the system can hand it over at all. */
export const canBeVariable = (name: string, value: string): boolean => name !== '' && !/[=\0]/.test(name) && !value.includes('\0');

/** What programs of Mimas are told by a variable and keep to themselves: nothing that they start inherits it. */
const SECRETS = ['MIMAS_TOKEN'] as const;

/** This program's own without its secrets, with the given variables over it; undefined takes one away. */
export function environmentOf(over: Readonly<Record<string, string | undefined>> | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const secret of SECRETS) delete env[secret];
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}

/** For threads, which inherit without being given anything: undefined when that does no harm. */
export const threadEnvironment = (over: Readonly<Record<string, string | undefined>> | undefined): NodeJS.ProcessEnv | undefined =>
  over !== undefined || SECRETS.some((secret) => secret in process.env) ? environmentOf(over) : undefined;
