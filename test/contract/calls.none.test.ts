// The guarantees of calls, isolation 'none' over every transport.
import { callContract } from './calls.js';

callContract('none');
