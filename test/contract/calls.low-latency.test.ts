// The guarantees of calls where both sides of the link poll before they sleep.
import { callContract } from './calls.js';

callContract('worker', ['ipc', 'unix'], { latency: 'low' });
callContract('child', ['ipc', 'ws'], { latency: 'low' });
