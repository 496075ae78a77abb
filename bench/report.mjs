// Writes docs/performance.md and its charts from results/latest.json and results/growth.json. `node bench/report.mjs` does it again without measuring.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { barChart, lineChart } from './lib/chart.mjs';
import { median, short } from './lib/stats.mjs';
import { tablesOf, targetTable, toMarkdown } from './lib/table.mjs';
import { judge } from './lib/targets.mjs';
import { CLOSE, WHY } from './lib/why.mjs';
import { GROUPS } from './systems/index.mjs';

const docs = new URL('../docs/', import.meta.url);
const read = (name) => {
  const file = new URL(`./results/${name}.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
};

export function writeReport() {
  mkdirSync(docs, { recursive: true });
  const results = read('latest');
  if (!results) throw new Error('bench/results/latest.json is missing: npm run bench');
  const growth = read('growth');
  for (const [name, chart] of Object.entries({ ...charts(results), ...(growth ? growthCharts(growth) : {}) })) writeFileSync(new URL(`${name}.svg`, docs), chart);
  writeFileSync(new URL('performance.md', docs), page(results, growth));
}

function charts({ systems, figures }) {
  const chart = (title, unit, job, metric) => barChart({
    title, unit,
    groups: GROUPS.map((group) => ({
      title: group,
      bars: systems.filter((system) => system.group === group && figures[system.name]?.[job]?.[metric]).map(({ name, kind }) => ({ name, kind, value: median(figures[name][job][metric].filter(Number.isFinite)) })),
    })).filter(({ bars }) => bars.length > 0),
  });
  return {
    'performance-throughput': chart('add(a, b), 64 calls in flight: more is better', 'calls a second', 'flight64', 'rate'),
    'performance-latency': chart('add(a, b), one at a time, median: less is better', 'microseconds', 'latency', 'p50'),
  };
}

function growthCharts({ inFlight, processes }) {
  const cost = (points) => Object.entries(points).map(([count, micros]) => [Number(count), micros]);
  const lines = (series) => Object.entries(series).map(([name, points]) => ({ name, points: cost(points) }));
  return {
    'growth-in-flight': lineChart({ title: 'Cost of a call against calls in flight', xLabel: 'calls in flight', yLabel: 'µs a call', lines: lines(inFlight) }),
    'growth-processes': lineChart({ title: 'Cost of a call against processes, 16 calls in flight each', xLabel: 'processes', yLabel: 'µs a call', lines: lines(processes) }),
  };
}

function page(results, growth) {
  const { machine, figures, systems, rounds, date, left, broken, load, remeasured = [] } = results;
  const judged = judge(figures);
  const missed = judged.filter(({ met }) => !met);
  return `<!-- Written by bench/report.mjs; edit that, not this. -->
# Performance

Measured on ${date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memory}, ${machine.system}, Node ${machine.node}. Absolute figures
drift from machine to machine and from hour to hour: **trust the ratios**.${load > machine.cores / 2 ? ` The machine was busy with other work (load ${load}), so even these are rough.` : ''} Run it yourself: \`npm run bench\` (\`-- --quick\` ends within a minute).

Every system does the same work: \`add(a, b)\`, an echo of a nested object of about 1 KB, an echo of 1 MiB. Each lives in a process of its own
(and its worker in another thread or process), is run in until compilers have settled, and then all take turns: ${rounds} rounds, in each of which every
system does the job right after the others, every other round backwards. A figure is the median over the rounds; a ratio is the median of the ratios
within the rounds, to the system that the heading of its table names. Mimas is measured through its public API with everything on: typed proxy, all
guarantees, metrics.

![Throughput](performance-throughput.svg)

![Latency](performance-latency.svg)

## Targets

${judged.length - missed.length} of ${judged.length} are met.

${toMarkdown(targetTable(judged))}
${reasons(missed, figures)}${close(judged)}
## All figures

${tablesOf(systems, figures).map((table) => `### ${table.title[0].toUpperCase()}${table.title.slice(1)}\n\n${toMarkdown(table)}`).join('\n\n')}

- *p50, p99*: one call at a time. *64 in flight*: closed loop, a new call as soon as one is answered. *CPU*: all threads of caller and worker.
- *1 MiB*: there and back; *transferred* moves the buffer both ways.
- *start*: from nothing to the first reply in a program that has imported the library; *again*: a second one in the same program. *spare*: a pool grows by
  a replica that stands ready. *MB each*: private memory that one more worker adds to caller and worker together.
- *timer*: delay of a 1 ms timer in the caller while 1,024 calls are kept in flight. *paced*: 1,000 calls a second, CPU of caller and worker together.
- *burst*: 1,000,000 calls fired in one synchronous loop; *fire* is that loop itself, *block* the longest hold of the event loop from then to the last answer.
${remeasured.length > 0 ? `\nMeasured once more after the full run, in runs of their own over all systems concerned: ${remeasured.join('; ')}.\n` : ''}${left.length > 0 ? `\nThe time ran out: ${left.join(', ')}.\n` : ''}${broken.length > 0 ? `\nFailed: ${broken.map((line) => line.split('\n')[0]).join('; ')}.\n` : ''}${growth ? growthText(growth) : ''}`;
}

/** One paragraph a reason, with all targets that it holds for. */
function reasons(missed, figures) {
  const of = (system, job, metric) => {
    const rounds = figures[system]?.[job]?.[metric]?.filter(Number.isFinite);
    return rounds?.length > 0 ? short(median(rounds)) : '–';
  };
  const known = missed.filter(({ id }) => WHY[id]);
  const why = [...new Set(known.map(({ id }) => WHY[id]))];
  const lines = why.map((reason) => `- ${known.filter(({ id }) => WHY[id] === reason).map(({ text }) => `**${text}**`).join('; ')}: ${reason(of).replace(/\s+/g, ' ')}`);
  return lines.length > 0 ? `\n### Why the others are not\n\n${lines.join('\n')}\n` : '';
}

function close(judged) {
  const lines = judged.filter(({ id }) => CLOSE[id]).map(({ id, text }) => `- **${text}**: ${CLOSE[id].replace(/\s+/g, ' ')}`);
  return lines.length > 0 ? `\n### Met in some runs, missed in others\n\n${lines.join('\n')}\n` : '';
}

function growthText({ inFlight, processes, date }) {
  const table = (series, unit) => {
    const counts = [...new Set(Object.values(series).flatMap(Object.keys))].map(Number).sort((a, b) => a - b);
    return toMarkdown({ head: ['µs a call', ...counts.map((count) => `${count.toLocaleString('en-US')} ${unit}`)], rows: Object.entries(series).map(([name, points]) => [name, ...counts.map((count) => short(points[count]))]) });
  };
  return `
## Growth

What one call costs (CPU of caller and worker together, µs) as more of everything is there (${date}). Below about 64 in flight each call pays a share of the
wake-ups that a batch shares. With 10,000 in flight the collector of the young generation copies them all each time: with a larger one (Node's
\`--max-semi-space-size=64\`) the cost stays flat. In this thread it is the same for 500 processes as for one. With many more busy threads than cores
it is not, nor is it for raw MessagePorts: a thread that is woken finds its memory gone from the caches of the core. Threads also compile for
themselves, and take some hundred thousand calls until they are at their best.

![Against calls in flight](growth-in-flight.svg)

${table(inFlight, 'in flight')}

![Against processes](growth-processes.svg)

${table(processes, 'processes')}
`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) writeReport();
