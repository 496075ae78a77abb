// Ways to keep a system busy. Time is looked at between calls, never inside one.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export { pause };

/** Calls one after the other for `ms`; the microseconds that each took. */
export async function oneByOne(call, ms, least = 3) {
  const taken = [];
  const end = performance.now() + ms;
  for (let i = 0; i < least || performance.now() < end; i++) {
    const start = performance.now();
    await call(i);
    taken.push((performance.now() - start) * 1000);
  }
  return taken;
}

/** A system that answers in a microsecond would be measured with the clock in it: that takes a tenth of one. */
const LOOK_EVERY = 16;

/**
 * Keeps `width` calls in flight for `ms`, or for `most` calls, then lets them end; `call(n, lane)` gets the number of the call and which of the `width` makes it.
 * @returns {Promise<{ calls: number, ms: number }>}
 */
export async function inFlight(call, width, ms, most = Infinity) {
  const start = performance.now();
  const end = start + ms;
  let calls = 0;
  let over = false;
  const caller = async (_, lane) => {
    do {
      await call(calls++, lane);
      if (calls % LOOK_EVERY === 0) over = performance.now() >= end;
    } while (!over && calls < most);
  };
  await Promise.all(Array.from({ length: width }, caller));
  return { calls, ms: performance.now() - start };
}
