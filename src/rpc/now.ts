// Milliseconds of a clock that never goes back. Bound once: `performance` is a getter of the global object, and it is read for each call.
export const now: () => number = performance.now.bind(performance);
