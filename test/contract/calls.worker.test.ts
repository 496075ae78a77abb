// The guarantees of calls, isolation 'worker' over every transport.
import { callContract } from './calls.js';

callContract('worker');
