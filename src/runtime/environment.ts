// The environment of a process.

/** Whether the system can hand it over at all. */
export const canBeVariable = (name: string, value: string): boolean => name !== '' && !/[=\0]/.test(name) && !value.includes('\0');

/** This program's own, with the given variables over it; undefined takes one away. */
export function environmentOf(over: Readonly<Record<string, string | undefined>> | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
