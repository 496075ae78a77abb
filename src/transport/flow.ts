// How much of a byte link waits to go out, and whether it is read meanwhile.
// Invariant: a peer that does not read can neither fill this side's memory nor hold its link for ever; one that reads slowly can
// take its time.
import type { Duplex } from 'node:stream';
import { LinkClosedError } from '../errors.js';
import { DEFAULT_LIMITS } from '../rpc/frames.js';

/** Above this much unsent data a link says it is congested. */
const CONGESTED_BYTES = 1024 * 1024;
/** Above this much the serving side reads no more. Only that side, so that two full sides never wait for each other. */
const PAUSE_BYTES = 32 * 1024 * 1024;
/** Looks per `stallTimeout`: that many in a row must have seen nothing move, so that a thread that was held up itself blames nobody. */
const LOOKS = 8;
/** While the session does not want to read, so often it is tried whether the peer is there: who does not read cannot see it leave. */
const BEAT_MS = 500;
/** Time for the peer to close its side, too; a socket that is cut earlier may lose what is on its way. */
const CLOSE_GRACE_MS = 500;
/** So many of those for a peer that takes nothing of what was sent before the close. */
const CLOSE_LOOKS = 10;

export interface FlowLimits {
  /** True on the side that listens: while its peer does not read what it is sent, no more of its calls are read. */
  readonly serving?: boolean | undefined;
  readonly maxFrame?: number | undefined;
  readonly maxUnsent?: number | undefined;
  readonly stallTimeout?: number | undefined;
}

/** What a link tells and does. */
export interface Line {
  readonly label: string;
  unsent(): number;
  /** Bytes that have left this process so far; it changes when the peer reads. */
  taken(): number;
  startReading(): void;
  stopReading(): void;
  /** Sends something that means nothing. */
  beat(): void;
  /** Ends the link with an error. */
  lose(error: Error): void;
  /** Cuts the line. */
  cut(): void;
}

export class Flow {
  /** The link is gone, or given up: it takes nothing more. */
  ended = false;
  #congested = false;
  #started = false;
  #reading = false;
  /** Much waits for the peer. */
  #full = false;
  /** The session wants no more. */
  #held = false;
  #stall: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #closing: NodeJS.Timeout | undefined;

  constructor(
    private readonly line: Line,
    private readonly limits: FlowLimits,
  ) {}

  start(): void {
    this.#started = true;
    this.#apply();
  }

  /** After each write. False: congested. */
  sent(): boolean {
    const unsent = this.line.unsent();
    if (unsent > CONGESTED_BYTES) {
      this.#congested = true;
      if (unsent > PAUSE_BYTES) this.#crowded(unsent);
    }
    return !this.#congested;
  }

  /** Everything has gone out. True: it had been congested. */
  drained(): boolean {
    const was = this.#congested;
    this.#congested = false;
    if (this.#full) {
      this.#full = false;
      this.#apply();
    }
    return was;
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#apply();
  }

  /** What was sent goes out, then the peer is expected to close its side; one that does neither must not hold this open. */
  close(): void {
    this.#full = this.#held = false;
    this.#apply();
    let still = 0;
    let before = this.line.taken();
    let empty = this.line.unsent() === 0;
    this.#closing = setInterval(() => {
      const taken = this.line.taken();
      still = taken === before ? still + 1 : 0;
      before = taken;
      if (empty || still >= CLOSE_LOOKS) this.line.cut();
      empty = this.line.unsent() === 0;
    }, CLOSE_GRACE_MS).unref();
  }

  /** The link is gone. */
  end(): void {
    this.ended = true;
    clearInterval(this.#stall);
    clearInterval(this.#beat);
    clearInterval(this.#closing);
  }

  #apply(): void {
    if (this.ended) return;
    const reading = this.#started && !this.#full && !this.#held;
    if (reading !== this.#reading) {
      this.#reading = reading;
      if (reading) this.line.startReading();
      else this.line.stopReading();
    }
    // With something to write, the operating system tells when the peer has gone.
    if (!this.#held) {
      clearInterval(this.#beat);
      this.#beat = undefined;
    } else if (!this.#beat) this.#beat = setInterval(() => this.line.unsent() === 0 && this.line.beat(), BEAT_MS).unref();
  }

  #crowded(unsent: number): void {
    const { serving, maxFrame = 0, maxUnsent = Math.max(DEFAULT_LIMITS.maxUnsent, 16 * maxFrame) } = this.limits;
    if (unsent > maxUnsent) {
      this.#lose(`does not read what it is sent: ${unsent} bytes wait, the limit is ${maxUnsent}`);
      return;
    }
    if (serving && !this.#full) {
      this.#full = true;
      this.#apply();
    }
    this.#watch();
  }

  /** Until little waits again. */
  #watch(): void {
    if (this.#stall || this.ended) return;
    const { stallTimeout = DEFAULT_LIMITS.stallTimeout } = this.limits;
    let still = 0;
    let before = this.line.taken();
    this.#stall = setInterval(() => {
      const unsent = this.line.unsent();
      const taken = this.line.taken();
      still = taken === before ? still + 1 : 0;
      before = taken;
      if (unsent <= PAUSE_BYTES) {
        clearInterval(this.#stall);
        this.#stall = undefined;
      } else if (still >= LOOKS) this.#lose(`has read nothing for ${stallTimeout} ms while ${unsent} bytes waited for it`);
    }, stallTimeout / LOOKS).unref();
  }

  #lose(what: string): void {
    if (this.ended) return;
    this.end();
    // Never within a `send`.
    queueMicrotask(() => this.line.lose(new LinkClosedError(`the link over ${this.line.label} was given up: the peer ${what}`)));
  }
}

interface Handle { readonly bytesWritten?: number; readonly writeQueueSize?: number; readonly _parent?: Handle }

/** Bytes that the operating system has taken of what was written to `stream`, as far as it can be known. */
export function takenOf(stream: Duplex | undefined): number {
  const handle = (stream as { _handle?: Handle | null } | undefined)?._handle;
  // TLS takes everything at once; what lies below it tells.
  const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {};
  if (bytesWritten !== undefined && writeQueueSize !== undefined) return bytesWritten - writeQueueSize;
  return -(stream?.writableLength ?? 0);
}
