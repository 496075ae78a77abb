// Medians, percentiles and how figures are written.

export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length === 0 ? NaN : sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `a[i] / b[i]` (or their difference) of the rounds that both have; the median of them. */
export function pairedMedian(a = [], b = [], difference = false) {
  const pairs = a.map((value, round) => [value, b[round]]).filter(([left, right]) => Number.isFinite(left) && Number.isFinite(right));
  return median(pairs.map(([left, right]) => (difference ? left - right : left / right)));
}

/** Three digits that mean something: 0.123, 12.3, 1,230, 45.6k, 2.04M. */
export function short(value) {
  if (value === undefined || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${(value / 1e3).toPrecision(3)}k`;
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}
