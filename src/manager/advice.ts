// What a process that came up is warned of: it works, but hardly as it was meant.

/** A class whose decorators were forgotten starts like any other, and then nothing of it can be called. */
export function warnWithoutMethods({ name, file, methods }: { readonly name: string; readonly file: string; readonly methods: readonly string[] }): void {
  if (methods.length === 0) process.emitWarning(`${name} has no method that can be called: decorate its methods with @Public() (${file})`, 'MimasWarning');
}
