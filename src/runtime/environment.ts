// The environment of a process: this program's own, with the given variables over it; undefined takes one away.

export function environmentOf(over: Readonly<Record<string, string | undefined>> | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
