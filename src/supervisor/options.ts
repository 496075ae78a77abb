// Options that Mimas does not know are refused by name, never ignored.
import { closest, UnknownOptionError } from '../errors.js';

/** @throws UnknownOptionError naming the first option that is not in `known`. */
export function refuseUnknown(options: object, known: readonly string[], at: string): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const suggestion = closest(option, known);
    throw new UnknownOptionError(`${at}: unknown option '${option}'${suggestion ? `; did you mean '${suggestion}'?` : ''}`, { option: `${at}.${option}`, ...(suggestion && { suggestion }) });
  }
}
