// Why a target is not met, by the id of the target: written by hand after a profile, shown while the target is missed.
const paced = `at this pace both sides sleep between calls, and being woken up is nearly all of the cost: the raw channels of the table
  (one message a call, no guarantees) take about as much, and a fifth of it comes from the timer that paces the calls. Polling would
  cost more, so it is off.`.replace(/\s+/g, ' ');

export const WHY = {
  'thread-object-64': `it is met in some runs and missed in others (3.4 to 4.5 on this day, as compilers and collectors of both sides happen to settle).
    Structured clone keeps holes, extra properties of arrays, and whether two parts of a value are one object. So every array is asked for its
    keys (75 ns each, ten of them in this object), every object is compared with those before it, and asked whether it is a stream: together
    1.3 of the 3.9 µs that packing takes. Reading takes 1.1 µs, and each call does both on both sides.`.replace(/\s+/g, ' '),
  'thread-64-piscina': 'from program to program it is between 9.6 and 10.5 times: compilers make code of different speed of the same source.',
  metrics: 'two clocks and one histogram a call cost about as much as runs differ: 1.00 to 1.05 on this day.',
  'paced-worker/ipc': paced,
  'paced-worker/ipc low': paced,
  'paced-child/ipc': paced,
  'paced-child/unix': paced,
  'paced-child/tcp': paced,
  'paced-child/ws': paced,
};
