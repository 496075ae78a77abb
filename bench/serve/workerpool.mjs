// Worker side of workerpool, thread or process.
import workerpool from 'workerpool';
import { add, echo } from '../lib/work.mjs';

workerpool.worker({ add, echo, echoTransfer: (bytes) => new workerpool.Transfer(bytes, [bytes.buffer]) });
