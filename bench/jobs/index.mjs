// All jobs, in the order of a round. A job: `name`, `run(subject, window)` giving named figures, and what it needs.
// `fresh`: in a process of its own, which has only imported the system; otherwise in one that lives through all rounds.
// `quick`: which systems do it in a quick run.
// `only`: which systems it is for (default all). `slow`: takes seconds (the window, in ms), so it has fewer rounds.
import { burst } from './burst.mjs';
import { fairness, paced } from './loop.mjs';
import { copy, flight1024, flight64, latency, move, moveLarge, object, object64, overhead, stream } from './calls.mjs';
import { memory, spare, start } from './lives.mjs';

export const JOBS = [latency, flight64, flight1024, object, object64, copy, move, moveLarge, stream, overhead, start, spare, memory, fairness, paced, burst];
