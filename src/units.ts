// Human units in options: '512MB' to bytes, '30s' to milliseconds. Numbers pass through; anything else is refused by name.
import { InvalidOptionError } from './errors.js';
import { shortened } from './printable.js';

/** A number of bytes, or a string such as `'512MB'` (K, KB, KiB and Kubernetes' Ki are the same, up to T: all powers of 1024). */
export type Bytes = number | string;
/** A number of milliseconds, or a string such as `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'1d'`. */
export type Duration = number | string;

/** Milliseconds; Node fires a longer timer at once. */
export const MAX_TIMEOUT = 2 ** 31 - 1;

const KIB = 1024;
const BYTE_UNITS: Record<string, number> = { '': 1, b: 1, k: KIB, m: KIB ** 2, g: KIB ** 3, t: KIB ** 4 };
const DURATION_UNITS: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The patterns below go back over spaces: longer than any sensible text, it would take them for ever. */
const isShort = (value: unknown): value is string => typeof value === 'string' && value.length <= 100;
const shown = (value: unknown): string => shortened(JSON.stringify(value) ?? String(value), 100);

/** Bytes of `value`. @throws InvalidOptionError naming `option` when the value is not a size. */
export function parseBytes(value: Bytes, option = 'size'): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return Math.floor(value);
  const match = isShort(value) ? /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?b?|b)?\s*$/i.exec(value) : null;
  if (!match) throw new InvalidOptionError(`${option}: ${shown(value)} is not a size; write a number of bytes or a string such as '512MB'`, { option });
  return Math.floor(Number(match[1]) * BYTE_UNITS[(match[2] ?? '').toLowerCase()]!);
}

/** Milliseconds of `value`. @throws InvalidOptionError naming `option` when the value is not a duration. */
export function parseDuration(value: Duration, option = 'duration'): number {
  if (typeof value === 'number' && !Number.isNaN(value) && value >= 0) return value;
  const match = isShort(value) ? /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$/i.exec(value) : null;
  if (!match) throw new InvalidOptionError(`${option}: ${shown(value)} is not a duration; write milliseconds or a string such as '30s'`, { option });
  return Number(match[1]) * DURATION_UNITS[(match[2] ?? '').toLowerCase()]!;
}

/** `1536` becomes `'1.5 KB'`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (bytes >= KIB && unit < units.length - 1) {
    bytes /= KIB;
    unit++;
  }
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

/** `1500` becomes `'1.5s'`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))}s`;
  if (ms < 3_600_000) return `${Number((ms / 60_000).toFixed(1))}m`;
  return `${Number((ms / 3_600_000).toFixed(1))}h`;
}
