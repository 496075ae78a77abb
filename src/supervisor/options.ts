// Options that Mimas does not know are refused by name, never ignored.
import { closest, InvalidOptionError, UnknownOptionError } from '../errors.js';

/** `former`: what options are called elsewhere, and what to do instead. @throws UnknownOptionError naming the first option that is not in `known`; InvalidOptionError when `options` has none, being no object. */
export function refuseUnknown(options: object, known: readonly string[], at: string, former: Readonly<Record<string, string>> = {}): void {
  // A number or `true` has no options that could be refused, and would pass for an empty object.
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw new InvalidOptionError(`${at}: ${JSON.stringify(options) ?? String(options)} is not an object of options`, { option: at });
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const instead = Object.hasOwn(former, option) ? former[option] : undefined;
    const suggestion = instead === undefined ? closest(option, known) : undefined;
    throw new UnknownOptionError(`${at}: unknown option '${option}'${instead ? `; ${instead}` : suggestion ? `; did you mean '${suggestion}'?` : ''}`, { option: `${at}.${option}`, ...(suggestion && { suggestion }) });
  }
}
