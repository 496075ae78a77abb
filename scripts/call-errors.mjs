// Which error of Mimas ends a call when, and whether the method may have begun by then: rows of docs/errors.md.
// test/ledger/table.test.ts brings each row about for real.

/** @type {readonly (readonly [id: string, code: string, when: string, maybeExecuted: boolean])[]} */
export const CALL_ERRORS = [
  ['exhausted', 'RESTARTS_EXHAUSTED', 'the call waited for the process, or was made, when its restart policy had given up', false],
  ['exhausted-again', 'RESTARTS_EXHAUSTED', 'the method is idempotent, and a process that has died was sent the call before', true],
  ['queue-timeout', 'QUEUE_TIMEOUT', 'the call waited for a process, a link, or a place in a pool', false],
  ['queue-timeout-again', 'QUEUE_TIMEOUT', 'the method is idempotent, and a process that has died was sent the call before', true],
  ['queue-full', 'QUEUE_FULL', '`maxQueue` calls wait already', false],
  ['not-ready', 'QUEUE_FULL', "the process restarts, and the call is set to fail at once (`whileRestarting: 'fail'`)", false],
  ['served-full', 'QUEUE_FULL', 'the other side works on as many calls of this link as it takes', false],
  ['circuit-open', 'CIRCUIT_OPEN', 'the circuit breaker of the pool is open', false],
  ['timeout', 'CALL_TIMEOUT', 'the call was sent', true],
  ['deadline', 'CALL_TIMEOUT', 'the deadline of the call that it was made from had passed before it was sent', false],
  ['stopped', 'PROCESS_STOPPED', 'the call waited, or was made, when the process, pool or connection was stopped', false],
  ['cut-off', 'PROCESS_STOPPED', 'the process, pool or connection was stopped while the call ran', true],
  ['crashed', 'PROCESS_CRASHED', 'the process died with the call in flight', true],
  ['memory', 'MEMORY_LIMIT', 'the process was ended with the call in flight', true],
  ['link-lost', 'LINK_CLOSED', 'the link was lost with the call in flight', true],
  ['link-unsent', 'LINK_CLOSED', 'the link was lost before the call had left', false],
  ['link-gone', 'LINK_CLOSED', 'a proxy or function that was lent, when the link that brought it has ended', false],
  ['protocol', 'PROTOCOL_ERROR', 'a proxy or function that was lent, when its link was closed for a frame that made no sense with the call in flight', true],
  ['arguments', 'NOT_CLONEABLE', 'an argument cannot cross', false],
  ['result', 'NOT_CLONEABLE', 'the result cannot cross', true],
  ['large-arguments', 'FRAME_TOO_LARGE', 'the arguments, or the headers, are too large', false],
  ['large-result', 'FRAME_TOO_LARGE', 'the result is too large', true],
  ['no-method', 'METHOD_NOT_FOUND', 'the class has the method, but without `@Public()`', false],
  ['no-number', 'METHOD_NOT_FOUND', 'the process has no such method any more, and says so', false],
  ['released', 'CALLBACK_RELEASED', 'a function that was lent is no longer', false],
  ['option', 'INVALID_OPTION', 'an option of the call makes no sense', false],
  ['let-through', 'METHOD_NOT_FOUND', 'any error of Mimas that the method got from a call of its own, and let through', true],
  ['stream', 'PROCESS_CRASHED', 'any error of Mimas that ends a stream: the call that gave it was answered', true],
];
