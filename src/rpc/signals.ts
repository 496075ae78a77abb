// The reason of an AbortSignal that had aborted before it crossed: it stands in the reference itself, so that the method
// sees the signal aborted from its first line on.
import { isError } from '../errors.js';
import { errorShell, errorToWire, fillError } from './wire-error.js';

/** Plain data for any reason: `[error]` or `[undefined, other]`. What cannot be plain becomes text. */
export function reasonToWire(reason: unknown): unknown[] {
  if (isError(reason)) return [errorToWire(reason, { encode: plain, redact: true })];
  return [undefined, plain(reason)];
}

/** A controller for a signal that came over; aborted when `wire` holds a reason. */
export function signalFrom(wire: unknown): AbortController {
  const controller = new AbortController();
  if (!Array.isArray(wire)) return controller;
  if (!Array.isArray(wire[0])) controller.abort(wire[1]);
  else {
    const error = errorShell(wire[0]);
    fillError(error, wire[0], (value) => value);
    controller.abort(error);
  }
  return controller;
}

const plain = (value: unknown): unknown => (typeof value === 'object' && value !== null ? `[${isError(value) ? value.message : 'object'}]` : typeof value === 'symbol' || typeof value === 'function' ? String(value) : value);
