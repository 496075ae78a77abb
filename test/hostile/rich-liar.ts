// A process that answers with what an honest one answered once, changed. It speaks as soon as it is spoken to.
import { entriesOf, Kind } from './entries.js';
import type { Corpus } from './corpus.js';
import type { Channel } from './liar.js';
import { MutatedSession } from './mutate.js';
import { chanceOf } from './random.js';
import type { Batch } from './raw-peer.js';
import { bodyOf, pack } from './raw-bytes.js';

const ANSWERS: ReadonlySet<unknown> = new Set([Kind.RESULT, Kind.RESULT_FULL, Kind.ERROR]);

/** What it says in one session, if that lasts so long. */
const AT_MOST = 200;
/** Of ten sessions so many break no rule that would end them at once; they say most of all frames. */
const GENTLE = 2;

/** Where a liar that is a process of its own tells how many frames it has said, when its answers stand in `file`. */
export const tallyOf = (file: string): string => `${file}.said`;

export class RichLiar {
  #session: MutatedSession | undefined;
  #answers: Corpus;

  /** `seed`: of all that it says. The first of `answers` is the greeting, which has to be right for a session to begin. */
  constructor(
    private readonly channel: Channel,
    answers: Corpus,
    private readonly seed: number,
    private readonly onSaid: (changed: number) => void = () => {},
    /** `frames`: that it says at most. */
    private readonly manner: { readonly gentle: number; readonly frames: number } = { gentle: GENTLE, frames: AT_MOST },
  ) {
    this.#answers = answers;
  }

  greet(): void {
    const [greeting] = entriesOf(this.#answers[0]!.entries);
    this.channel.body(bodyOf(pack(greeting)));
  }

  hear({ entries }: Batch): void {
    this.#session?.grammar.hear(entries);
    const first = entriesOf(entries).find(([kind]) => kind === Kind.CALL || kind === Kind.CALL_FULL);
    if (this.#session || !first) return;
    this.#answers = shifted(this.#answers, (first[1] as number) - 1);
    this.#session = new MutatedSession(chanceOf(this.seed), this.#answers, this.manner.gentle);
    this.#session.grammar.hear(entries);
    void this.#speak(this.#session);
  }

  async #speak(session: MutatedSession): Promise<void> {
    let changes = 0;
    for (let said = 0; said < this.manner.frames && this.channel.open; said++) {
      const { body, changed } = session.next();
      this.channel.body(body);
      if (changed) changes++;
      if (said % 4 !== 3) continue;
      this.onSaid(changes);
      changes = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.channel.end();
  }
}

/** The same answers to calls whose numbers begin later. */
function shifted(answers: Corpus, by: number): Corpus {
  if (by === 0) return answers;
  return answers.map(({ entries, attachments }) => ({ attachments, entries: entriesOf(entries).flatMap((entry) => (ANSWERS.has(entry[0]) ? [entry[0], (entry[1] as number) + by, ...entry.slice(2)] : entry)) }));
}
