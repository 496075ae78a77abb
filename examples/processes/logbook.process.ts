// A sidecar: keeps the log of other processes.
import { Process, Public } from 'mimas';

@Process({ name: 'logbook' })
export default class Logbook {
  readonly #lines: string[] = [];

  @Public()
  write(from: string, line: string): void {
    this.#lines.push(`[${from}] ${line}`);
  }

  @Public()
  lines(): string[] {
    return this.#lines;
  }
}
