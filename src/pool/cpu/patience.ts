// How long the two sides of a CPU pool look for the next message instead of sleeping. Piscina reads its ports by itself, so that
// looking means turning the event loop.
import { PATIENCE, type Patience } from '../../transport/pacer.js';

const { poll, dense } = PATIENCE.normal;

/**
 * The pool's side while threads that compute leave it a core, and their jobs are so short that a look may find the answer. Behind
 * longer ones even a rare look does harm: it keeps the thread asleep for so long that its core goes to sleep as well.
 */
export const ALONE: Patience = { poll, dense: 0.1, prompt: 0.1 };

/** The pool's side where every core has a thread that computes, and loses what this side takes. */
export const CROWDED: Patience = { poll: 0.02, dense: 0.04, prompt: 0.04 };

/** A thread, behind a job so short that the pool's side is still awake: woken beside a thread that spins, it would come later. */
export const THREAD: Patience = { poll, dense, prompt: 0.05 };
