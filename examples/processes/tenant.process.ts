// The store of one tenant: it lives in a process of its own, and dies in it.
import { OnShutdown, Process, Public } from 'mimas';

@Process({ name: 'tenant' })
export default class TenantStore {
  #notes: string[] = [];

  @Public() add(note: string): number {
    return this.#notes.push(note);
  }

  @Public() all(): string[] {
    return this.#notes;
  }

  @Public() parse(json: string): unknown {
    // A bug of the kind that no try/catch of the caller can contain.
    if (json === 'poison') process.exit(1);
    return JSON.parse(json);
  }

  @OnShutdown() close(): void {
    this.#notes = [];
  }
}
