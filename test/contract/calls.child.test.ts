// The guarantees of calls, isolation 'child' over every transport.
import { callContract } from './calls.js';

callContract('child');
