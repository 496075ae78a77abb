// Members that a pool has parted with: what they counted is kept, and one that somebody starts again by hand is told of, so that no
// process of a pool runs on without it. Only the last ones are known by name; so it is with the manager.
import { Meter } from '../rpc/meter.js';
import type { Member } from './member.js';

/** Members that are known by name. */
const REMEMBERED = 100;

export class Parted {
  readonly #total = new Meter();
  readonly #members = new Map<Member, () => void>();

  constructor(private readonly onBack: (member: Member) => void) {}

  add(member: Member): void {
    if (this.#members.has(member)) return;
    let ending = ends(member);
    const unwatch = member.onStatus(() => {
      // One that comes up before it hears that it is to end is no such case.
      if (ends(member)) ending = true;
      else if (ending && member.status === 'running') this.#back(member);
    });
    this.#members.set(member, unwatch);
    for (const [oldest] of this.#members) {
      if (this.#members.size <= REMEMBERED) break;
      this.#forget(oldest);
    }
  }

  /** All that they have counted. */
  meters(): Meter[] {
    return [this.#total, ...Array.from(this.#members.keys(), ({ meter }) => meter)];
  }

  /** From now on nobody is told. */
  end(): void {
    for (const member of this.#members.keys()) this.#forget(member);
  }

  #forget(member: Member): void {
    this.#members.get(member)!();
    this.#members.delete(member);
    this.#total.absorb(member.meter);
  }

  #back(member: Member): void {
    this.#members.get(member)!();
    this.#members.delete(member);
    this.onBack(member);
  }
}

const ends = ({ status }: Member): boolean => status === 'stopping' || status === 'stopped' || status === 'failed';
