// The first thing that the command does: a token in its arguments is taken out of the list of processes, where every user of this
// machine reads it. Those of this program stay as they are.

const TOKEN = '--token';
const HIDDEN = '***';

/** The arguments as others may see them; undefined when there is nothing to hide. */
export function withoutTokens(args: readonly string[]): string[] | undefined {
  let hidden = false;
  const hide = () => {
    hidden = true;
    return HIDDEN;
  };
  const shown = args.map((arg, i) => (arg.startsWith(`${TOKEN}=`) ? `${TOKEN}=${hide()}` : args[i - 1] === TOKEN ? hide() : arg));
  return hidden ? shown : undefined;
}

const shown = withoutTokens(process.argv.slice(2));
// Whatever is longer than what was there is cut off by the system, so nothing comes before it that the old one did not have.
if (shown) process.title = ['mimas', ...shown].join(' ');
