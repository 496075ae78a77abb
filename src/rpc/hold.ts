// A peer that may be stuck: nothing more is sent to it until its event loop has answered. However many calls are given up, one
// question is on its way at a time; who is suspected meanwhile is asked again, for an answer says nothing of what came later.
import type { Session } from './session.js';

export class Hold {
  /** Of the peer that is waited for. */
  session: Session | undefined;
  #again = false;

  constructor(private readonly onChange: (held: boolean) => void) {}

  begin(session: Session): void {
    if (this.session === session) {
      this.#again = true;
      return;
    }
    this.session = session;
    this.onChange(true);
    // Behind the cancellations of this moment: many calls may be given up at once.
    queueMicrotask(() => this.#ask(session));
  }

  /** It has answered, or is gone. */
  end(): void {
    if (!this.session) return;
    this.session = undefined;
    this.onChange(false);
  }

  #ask(session: Session): void {
    this.#again = false;
    void session.ping().then(() => {
      if (this.session !== session) return;
      if (this.#again) this.#ask(session);
      else this.end();
    });
  }
}
