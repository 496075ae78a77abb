// What the caller of a process that came up is warned of: it works, but hardly as it was meant.

interface Facts { readonly name: string; readonly file: string; readonly methods: readonly string[] }

/** Warns of a class whose decorators were forgotten: it starts like any other, and then nothing of it can be called. Answers `process`. */
export function advised<T extends Facts>(process: T): T {
  const { name, file, methods } = process;
  if (methods.length === 0) globalThis.process.emitWarning(`${name} has no method that can be called: decorate its methods with @Public() (${file})`, 'MimasWarning');
  return process;
}
