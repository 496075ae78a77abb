// What a target's figure does not say, by the id of the target: written by hand, after profiles.

const sleepers = ['raw MessagePort', 'raw fork advanced', 'raw unix frames', 'raw tcp frames'];
const paced = (of) => `at this pace both sides sleep between calls, and being woken up is nearly all of the cost. The raw channels, one message a call and without any
  guarantee, took ${sleepers.map((name) => `${of(name, 'paced', 'percent')} % (${name})`).join(', ')} in this run; the timer that paces the calls took ${of('direct async call', 'paced', 'percent')} %
  with a local function. In a profile (perf) of worker/ipc nine percent of the CPU time is compiled JavaScript, of Mimas and of the program; the rest is the
  kernel, the event loop and structured clone. Polling would cost more, so it is off.`;

/** Why it is not met; shown while it is missed. Figures are of the run itself: `of(system, job, metric)` is a median as text. */
export const WHY = {
  metrics: () => 'two clocks and one histogram a call cost about as much as runs differ: 1.00 to 1.05 on this day.',
  'paced-worker/ipc': paced,
  'paced-worker/ipc low': paced,
  'paced-child/ipc': paced,
  'paced-child/unix': paced,
  'paced-child/tcp': paced,
  'paced-child/ws': paced,
};

/** What is so close to its target that some runs meet it and others do not; shown always. */
export const CLOSE = {
  'thread-64-piscina': 'twelve runs of 2026-11-21 gave 9.3 to 11.8: compilers make code of different speed of the same source, on both sides, for as long as a program lives.',
  'thread-object-64': `twelve runs gave 3.3 to 4.1. Structured clone keeps holes, extra properties of arrays, and whether two parts of a value are one object. So every array
    is asked for its keys (60 to 75 ns each, ten of them in this object), and every object is compared with those before it: together a third of the 3.5 µs that packing takes.`,
  'thread-copy': `eight runs gave 0.34 to 1.0. Piscina takes 0.7 ms, or 0.27 ms while the C library hands the same memory to each of its messages. Mimas takes 0.27 ms
    always: two copies into new memory (50 µs each), and both sides are woken up.`,
};
