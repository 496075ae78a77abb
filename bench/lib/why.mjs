// Why a target is not met, by the id of the target: written by hand after a profile, shown while the target is missed.
const paced = `at this pace both sides sleep between calls, and being woken up is nearly all of the cost: the raw channels of the table
  (one message a call, no guarantees) take about as much, and a fifth of it comes from the timer that paces the calls. Polling would
  cost more, so it is off.`.replace(/\s+/g, ' ');

export const WHY = {
  'thread-object-64': `structured clone keeps holes, extra properties of arrays, and whether two parts of a value are one object. So every array is
    asked for its keys (75 ns each, ten of them in this object) and every object is compared with those before it. Packing takes 3.5 µs,
    as with msgpackr, which checks none of this; reading takes 2 µs, and each call does both on both sides.`.replace(/\s+/g, ' '),
  'thread-start': `a bare Worker evaluates a file of three lines. A process reads Mimas in one chunk of 280 KB (9 ms, nearly all of it the parser; half the size
    by minification saves 1 ms), then the process file and what that imports through the module loader of Node (4 ms), and its first call
    passes through code that has never run (4 ms). Node 20 keeps no compiled code of ES modules. The first spawn boots its thread while the supervisor loads.`.replace(/\s+/g, ' '),
  'child-start': `as for threads: the chunk of Mimas, the process file, and the first call through cold code come on top of what a bare fork does.`,
  'thread-spare': 'when this was measured, the replacement of the spare that was taken was booted at the same time, on two cores. It is started a moment later since: 1.2 ms.',
  'paced-worker/ipc': paced,
  'paced-worker/ipc low': paced,
  'paced-child/ipc': paced,
  'paced-child/unix': paced,
  'paced-child/tcp': paced,
  'paced-child/ws': paced,
};
