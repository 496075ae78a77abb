// How the tour prints: colours and a moving bar on a terminal, plain lines elsewhere.
const terminal = process.stdout.isTTY === true;
const colours = terminal && process.env['NO_COLOR'] === undefined;
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);

export const step = (title: string): void => console.log(`\n${bold(title)}`);
export const row = (what: string, value: string, remark = ''): void => console.log(`  ${what.padEnd(17)} ${value.padEnd(34)} ${dim(remark)}`.trimEnd());

/** Says that something held; when it did not, the tour ends with exit code 1. */
export function check(held: boolean, what: string): void {
  console.log(`  ${held ? green('✓') : red('✗')} ${what}`);
  if (!held) process.exitCode = 1;
}

const WIDTH = 32;

export class Progress {
  #done = 0;
  #drawn = 0;

  constructor(private readonly total: number) {}

  tick(): void {
    this.#done++;
    const now = performance.now();
    if (terminal && (now - this.#drawn > 40 || this.#done === this.total)) {
      this.#drawn = now;
      this.#draw();
    } else if (!terminal && Math.floor((this.#done * 4) / this.total) > Math.floor(((this.#done - 1) * 4) / this.total)) {
      console.log(`  ${this.#done} of ${this.total}`);
    }
  }

  note(text: string): void {
    if (terminal) process.stdout.write('\r\u001b[2K');
    console.log(`  ${red('×')} ${text}`);
    if (terminal) this.#draw();
  }

  end(): void {
    if (terminal) process.stdout.write('\n');
  }

  #draw(): void {
    const share = this.total === 0 ? 1 : this.#done / this.total;
    const full = Math.round(share * WIDTH);
    process.stdout.write(`\r  ${green('█'.repeat(full))}${dim('░'.repeat(WIDTH - full))} ${String(Math.round(share * 100)).padStart(3)} %  ${this.#done}/${this.total}`);
  }
}
