// The targets of Mimas as ratios within one round (or as plain figures where the target is one), and how they are judged.
import { median, pairedMedian } from './stats.mjs';

/** `over`: the system that it is compared with, in the same job unless `overJob` says otherwise. `difference`: minus instead of divided by. */
const target = (id, text, system, job, metric, bound, over, more = {}) => ({ id, text, system, job, metric, ...bound, ...(over ? { over } : {}), ...more });
const min = (value) => ({ min: value });
const max = (value) => ({ max: value });

export const TARGETS = [
  target('thread-64-piscina', 'worker/ipc, 64 in flight, × piscina with many tasks a thread', 'mimas worker/ipc', 'flight64', 'rate', min(10), 'piscina 2048 a thread'),
  target('thread-64-comlink', 'worker/ipc, 64 in flight, × comlink', 'mimas worker/ipc', 'flight64', 'rate', min(15), 'comlink'),
  target('thread-latency', 'worker/ipc, one at a time, p50 × raw MessagePort', 'mimas worker/ipc', 'latency', 'p50', max(1.1), 'raw MessagePort'),
  target('thread-latency-low', "worker/ipc, latency: 'low', one at a time, p50 × raw MessagePort", 'mimas worker/ipc low', 'latency', 'p50', max(0.15), 'raw MessagePort'),
  target('thread-object-64', 'worker/ipc, 1 KB object, 64 in flight, × piscina with many tasks a thread', 'mimas worker/ipc', 'object64', 'rate', min(3.5), 'piscina 2048 a thread'),
  target('thread-move', 'worker/ipc, 1 MiB transferred, × raw MessagePort', 'mimas worker/ipc', 'move', 'ms', max(1.2), 'raw MessagePort'),
  target('thread-move-flat', 'worker/ipc, 16 MiB transferred, × 1 MiB transferred', 'mimas worker/ipc', 'moveLarge', 'ms', max(1.2), 'mimas worker/ipc', { overJob: 'move' }),
  target('thread-copy', 'worker/ipc, 1 MiB copied, × piscina (structured clone)', 'mimas worker/ipc', 'copy', 'ms', max(0.7), 'piscina 2048 a thread'),
  ...['child/ipc', 'child/unix'].flatMap((cell) => [
    target(`${cell}-64-fork`, `${cell}, 64 in flight, × raw fork advanced`, `mimas ${cell}`, 'flight64', 'rate', min(7), 'raw fork advanced'),
    target(`${cell}-64-moleculer`, `${cell}, 64 in flight, × moleculer tcp`, `mimas ${cell}`, 'flight64', 'rate', min(9), 'moleculer tcp'),
    target(`${cell}-64-nest`, `${cell}, 64 in flight, × nestjs tcp`, `mimas ${cell}`, 'flight64', 'rate', min(9), 'nestjs tcp'),
    target(`${cell}-64-grpc`, `${cell}, 64 in flight, × grpc-js`, `mimas ${cell}`, 'flight64', 'rate', min(60), 'grpc-js'),
  ]),
  ...['child/tcp', 'child/ws'].flatMap((cell) => [
    target(`${cell}-64-moleculer`, `${cell}, 64 in flight, × moleculer tcp`, `mimas ${cell}`, 'flight64', 'rate', min(8), 'moleculer tcp'),
    target(`${cell}-64-nest`, `${cell}, 64 in flight, × nestjs tcp`, `mimas ${cell}`, 'flight64', 'rate', min(8), 'nestjs tcp'),
    target(`${cell}-64-birpc`, `${cell}, 64 in flight, × birpc on ws (the fastest other)`, `mimas ${cell}`, 'flight64', 'rate', min(7), 'birpc ws json'),
  ]),
  target('none-latency', 'none, one at a time, µs over a structured clone', 'mimas none/ipc', 'latency', 'p50', max(2), 'structuredClone', { difference: true, unit: 'µs' }),
  target('thread-start', 'worker/ipc, start to first reply, × bare Worker', 'mimas worker/ipc', 'start', 'first', max(1.4), 'raw MessagePort'),
  target('child-start', 'child/ipc, start to first reply, × bare fork', 'mimas child/ipc', 'start', 'first', max(1.25), 'raw fork advanced'),
  target('thread-spare', 'worker/ipc, warm spare to first reply', 'mimas worker/ipc', 'spare', 'ms', max(5), undefined, { unit: 'ms' }),
  target('child-spare', 'child/ipc, warm spare to first reply', 'mimas child/ipc', 'spare', 'ms', max(5), undefined, { unit: 'ms' }),
  target('thread-memory', 'worker/ipc, private memory over a bare Worker', 'mimas worker/ipc', 'memory', 'mb', max(3), 'raw MessagePort', { difference: true, unit: 'MB' }),
  ...['worker/ipc', 'worker/ipc low', 'child/ipc', 'child/unix', 'child/tcp', 'child/ws'].map((cell) => target(`fair-${cell}`, `${cell}, timer delay p99 with 1,024 in flight`, `mimas ${cell}`, 'fairness', 'p99', max(10), undefined, { unit: 'ms' })),
  ...['worker/ipc', 'worker/ipc low', 'child/ipc', 'child/unix', 'child/tcp', 'child/ws'].map((cell) => target(`paced-${cell}`, `${cell}, CPU of 1,000 paced calls a second`, `mimas ${cell}`, 'paced', 'percent', max(8), undefined, { unit: '%' })),
  target('metrics', 'worker/ipc, 64 in flight, CPU of a call with metrics × without', 'mimas worker/ipc', 'overhead', 'cpu', max(1.05), 'mimas worker/ipc no metrics'),
  target('guarantees', 'worker/ipc, 64 in flight, CPU of a call with deadline, signal and context unused × without them (cut out)', 'mimas worker/ipc', 'overhead', 'cpu', max(1.05), 'mimas worker/ipc no guarantees'),
  ...['worker/ipc', 'child/ipc'].map((cell) => target(`burst-${cell}`, `${cell}, longest block after 1,000,000 calls at once`, `mimas ${cell}`, 'burst', 'block', max(50), undefined, { unit: 'ms' })),
];

/** The targets whose systems were measured: `{ …target, value, met }`. */
export function judge(figures, targets = TARGETS) {
  return targets.flatMap((entry) => {
    const own = figures[entry.system]?.[entry.job]?.[entry.metric];
    const other = entry.over && figures[entry.over]?.[entry.overJob ?? entry.job]?.[entry.metric];
    if (!own || (entry.over && !other)) return [];
    const value = entry.over ? pairedMedian(own, other, entry.difference) : median(own.filter(Number.isFinite));
    return [{ ...entry, value, met: entry.min === undefined ? value <= entry.max : value >= entry.min }];
  });
}
