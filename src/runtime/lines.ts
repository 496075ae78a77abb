// Text as it comes, cut into lines. Invariant: a line up to LONGEST_LINE characters stays whole; of a longer one the beginning is told, marked
// as cut, and the rest is left out, so that one who never ends its line fills no memory.
import { StringDecoder } from 'node:string_decoder';

/** Characters. */
export const LONGEST_LINE = 1024 * 1024;
export const CUT_MARK = ' … (cut: the line is longer than 1 MB)';

export class Lines {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  /** The line that is under way was told already. */
  #cut = false;

  constructor(private readonly tell: (line: string) => void) {}

  add(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      this.#extend(text.slice(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#extend(from === 0 ? text : text.slice(from));
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#rest) this.#endLine();
  }

  #extend(more: string): void {
    if (this.#cut) return;
    this.#rest += more;
    // A carriage return before the end of the line is no part of it.
    if (this.#rest.length <= LONGEST_LINE + 1) return;
    this.tell(this.#rest.slice(0, LONGEST_LINE) + CUT_MARK);
    this.#rest = '';
    this.#cut = true;
  }

  #endLine(): void {
    const line = this.#rest;
    const told = this.#cut;
    this.#rest = '';
    this.#cut = false;
    if (!told) this.tell(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
}
