// Tables: aligned for the terminal, and the same rows as Markdown.
import { BASELINES, GROUPS } from '../systems/index.mjs';
import { median, pairedMedian, short } from './stats.mjs';

/** [heading, job, metric, with ratio?, factor] */
const COLUMNS = [
  ['p50 µs', 'latency', 'p50', true],
  ['p99 µs', 'latency', 'p99'],
  ['64 in flight /s', 'flight64', 'rate', true],
  ['CPU µs/call', 'flight64', 'cpu'],
  ['in new programs', 'overhead', 'cpu'],
  ['1,024 /s', 'flight1024', 'rate'],
  ['1 KB p50 µs', 'object', 'p50'],
  ['1 KB ×64 /s', 'object64', 'rate', true],
  ['1 MiB copy ms', 'copy', 'ms'],
  ['transfer ms', 'move', 'ms'],
  ['16 MiB ms', 'moveLarge', 'ms'],
  ['stream /s', 'stream', 'rate'],
  ['start ms', 'start', 'first', true],
  ['again ms', 'start', 'again'],
  ['spare ms', 'spare', 'ms'],
  ['MB each', 'memory', 'mb'],
];
const LOOP_COLUMNS = [
  ['timer p50 ms', 'fairness', 'p50'],
  ['p99 ms', 'fairness', 'p99'],
  ['calls /s meanwhile', 'fairness', 'rate'],
  ['paced: % of a core', 'paced', 'percent'],
  ['paced p50 µs', 'paced', 'p50'],
  ['burst: fire ms', 'burst', 'fire'],
  ['block ms', 'burst', 'block'],
  ['all ms', 'burst', 'total'],
  ['peak MB', 'burst', 'peak'],
  ['failed', 'burst', 'failed'],
];

const seen = (values) => (values ? median(values.filter(Number.isFinite)) : NaN);

/** `{ title, head, rows }` of each group, and of what a link does to its host. */
export function tablesOf(systems, figures) {
  const tables = GROUPS.map((group) => tableOf(`${group} (× ${BASELINES[group]})`, systems.filter((system) => system.group === group), figures, COLUMNS, BASELINES[group]));
  const busy = systems.filter(({ name }) => figures[name]?.fairness || figures[name]?.burst);
  return [...tables, tableOf('the host under load', busy, figures, LOOP_COLUMNS)].filter(({ rows }) => rows.length > 0);
}

function tableOf(title, systems, figures, columns, baseline) {
  const present = columns.filter(([, job, metric]) => systems.some(({ name }) => figures[name]?.[job]?.[metric]));
  const rows = systems
    .filter(({ name }) => figures[name])
    .map(({ name }) => [
      name,
      ...present.map(([, job, metric, ratio]) => {
        const values = figures[name][job]?.[metric];
        const text = short(seen(values));
        return ratio && baseline && values ? `${text} (${short(pairedMedian(values, figures[baseline]?.[job]?.[metric]))}×)` : text;
      }),
    ]);
  return { title, head: ['system', ...present.map(([heading]) => heading)], rows };
}

export function targetTable(judged) {
  const rows = judged.map(({ text, min, max, value, unit = '×', met }) => [text, `${min === undefined ? `≤ ${max}` : `≥ ${min}`} ${unit}`, `${short(value)} ${unit}`, met ? 'met' : 'not met']);
  return { title: 'targets', head: ['target', 'asked', 'measured', ''], rows };
}

export function toText({ title, head, rows }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd();
  return [title, line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

export function toMarkdown({ head, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
