// Where process files are evaluated in the caller's own thread: in the realm of Node, by its own loader, as everywhere else. A program that
// evaluates its modules in another realm (Jest, vm pools of vitest) has a core of that realm; its processes have the one of Node's.
import { Host } from './host.js';

/** A parameter of the script that the bundler makes of the core, given to cores of other realms only. */
declare const coreHome: (() => Readonly<Record<string, unknown>>) | undefined;

/** The class whose instances host a process in this thread. */
export const hostHere = (): typeof Host => (typeof coreHome === 'undefined' ? Host : (coreHome()['Host'] as typeof Host));
