// Why a target is not met, by the id of the target: written by hand after a profile, shown while the target is missed.
// Figures in it are of the run itself: `of(system, job, metric)` is a median as text.

const sleepers = ['raw MessagePort', 'raw fork advanced', 'raw unix frames', 'raw tcp frames'];
const paced = (of) => `at this pace both sides sleep between calls, and being woken up is nearly all of the cost. The raw channels, one message a call and without any
  guarantee, took ${sleepers.map((name) => `${of(name, 'paced', 'percent')} % (${name})`).join(', ')} in this run; the timer that paces the calls took ${of('direct async call', 'paced', 'percent')} %
  with a local function. In a profile (perf) of worker/ipc nine percent of the CPU time is compiled JavaScript, of Mimas and of the program; the rest is the
  kernel, the event loop and structured clone. Polling would cost more, so it is off.`;

export const WHY = {
  'thread-object-64': () => `it is met in some runs and missed in others (3.3 to 3.7 on this day, as compilers and collectors of both sides happen to settle).
    Structured clone keeps holes, extra properties of arrays, and whether two parts of a value are one object. So every array is asked for its
    keys (60 to 75 ns each, ten of them in this object), and every object is compared with those before it: together a third of the 3.5 µs that packing takes.`,
  'thread-64-piscina': () => 'from program to program it is between 9.3 and 11.4 times: compilers make code of different speed of the same source, of both sides.',
  metrics: () => 'two clocks and one histogram a call cost about as much as runs differ: 1.00 to 1.05 on this day.',
  'paced-worker/ipc': paced,
  'paced-worker/ipc low': paced,
  'paced-child/ipc': paced,
  'paced-child/unix': paced,
  'paced-child/tcp': paced,
  'paced-child/ws': paced,
};
