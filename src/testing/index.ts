// Helpers for tests of programs that use Mimas. Imported by nothing in this package.
export { FakeClock } from './fake-clock.js';
