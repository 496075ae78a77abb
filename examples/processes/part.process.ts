// One part of a shop: it says who it is, how often it was asked, and crashes when told to.
import { Process, Public } from 'mimas';

@Process()
export default class Part {
  #asked = 0;
  #role = '';

  init(dependencies: { role: string }): void {
    this.#role = dependencies.role;
  }

  @Public() ask(): string {
    return `${this.#role}, asked ${++this.#asked} time${this.#asked === 1 ? '' : 's'}`;
  }

  @Public() crash(): void {
    process.exit(1);
  }
}
