// What a hostile peer may cost others. On a quiet machine the honest caller waits less than 250 ms; tests share theirs with others:
// what the machine had no time for does not count, and the bounds are wider.

export const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);

/** Longest wait of the honest caller, ms. */
export const LONGEST_WAIT = number('MIMAS_HONEST_WAIT', 2_000);
/** Longest time until a hostile frame is answered or its link closed, ms. */
export const SETTLE = number('MIMAS_SETTLE', 10_000);
/** How long a liar is waited for before its link is closed, ms: what settles only then is no fault. */
export const PATIENCE = number('MIMAS_PATIENCE', 3_000);
const MIB = 1024 * 1024;
/**
 * What a hostile peer may add to the resident memory of its victim while it lasts, bytes: a frame of 60 MB as it is sent, received and copied,
 * all in one program where threads lie, and four times that in objects.
 */
export const PEAK = number('MIMAS_PEAK', 600 * MIB);
/** What may be left of it when the link has ended and rubbish was collected, bytes. */
export const LEFT = number('MIMAS_LEFT', 50 * MIB);
