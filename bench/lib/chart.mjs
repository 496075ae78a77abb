// Charts as SVG without any dependency: bars on a log scale by group, and lines on log axes. Readable on light and dark pages.
import { short } from './stats.mjs';

const COLOURS = { mimas: '#d9480f', peer: '#4c6ef5', raw: '#868e96' };
const LINE_COLOURS = ['#d9480f', '#4c6ef5', '#2b8a3e', '#9c36b5', '#868e96'];
const STYLE = '<style>text{font:12px system-ui,sans-serif;fill:#212529}.title{font-weight:600;font-size:14px}.soft{fill:#868e96}.grid{stroke:#dee2e6;stroke-width:1}</style>';

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const decades = (low, high) => Array.from({ length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 }, (_, i) => 10 ** (Math.floor(Math.log10(low)) + i));
const frame = (width, height, body) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">\n${STYLE}\n<rect width="${width}" height="${height}" fill="#ffffff"/>\n${body.join('\n')}\n</svg>\n`;

/** @param groups `[{ title, bars: [{ name, kind, value }] }]`; bars are drawn in descending order. */
export function barChart({ title, unit, groups }) {
  const WIDTH = 860;
  const LEFT = 190;
  const RIGHT = 80;
  const ROW = 20;
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.001));
  const x = (value) => LEFT + ((WIDTH - LEFT - RIGHT) * Math.log10(value / low)) / Math.log10(high / low);
  const body = [`<text class="title" x="16" y="24">${escape(title)}</text>`];
  const marks = [];
  let y = 52;
  for (const group of groups) {
    marks.push(`<text class="title" x="16" y="${y + 12}">${escape(group.title)}</text>`);
    y += ROW + 2;
    for (const { name, kind, value } of [...group.bars].sort((a, b) => b.value - a.value)) {
      marks.push(`<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end"${kind === 'mimas' ? ' font-weight="600"' : ''}>${escape(name)}</text>`);
      marks.push(`<rect x="${LEFT}" y="${y + 2}" width="${Math.max(1, x(value) - LEFT).toFixed(1)}" height="${ROW - 6}" rx="2" fill="${COLOURS[kind]}"/>`);
      marks.push(`<text x="${(x(value) + 6).toFixed(1)}" y="${y + 12}">${short(value)}</text>`);
      y += ROW;
    }
    y += 10;
  }
  for (const decade of decades(low, high)) {
    if (decade > high * 1.001) continue;
    body.push(`<line class="grid" x1="${x(decade).toFixed(1)}" x2="${x(decade).toFixed(1)}" y1="44" y2="${y}"/>`);
    body.push(`<text class="soft" x="${x(decade).toFixed(1)}" y="${y + 16}" text-anchor="middle">${short(decade)}</text>`);
  }
  let legend = LEFT;
  for (const [kind, colour] of Object.entries(COLOURS)) {
    body.push(`<rect x="${legend}" y="${y + 28}" width="12" height="12" rx="2" fill="${colour}"/><text x="${legend + 18}" y="${y + 38}">${kind === 'raw' ? 'raw channel' : kind}</text>`);
    legend += 110;
  }
  body.push(`<text class="soft" x="${WIDTH - 16}" y="${y + 38}" text-anchor="end">${escape(unit)}, logarithmic</text>`);
  return frame(WIDTH, y + 52, [...body, ...marks]);
}

/** @param lines `[{ name, points: [[x, y], …] }]` on log axes. */
export function lineChart({ title, xLabel, yLabel, lines }) {
  const WIDTH = 860;
  const HEIGHT = 360;
  const [LEFT, RIGHT, TOP, BOTTOM] = [60, 170, 44, 50];
  const all = lines.flatMap(({ points }) => points);
  const span = (at) => [10 ** Math.floor(Math.log10(Math.min(...all.map((point) => point[at])))), 10 ** Math.ceil(Math.log10(Math.max(...all.map((point) => point[at]))))];
  const [x0, x1] = span(0);
  const [y0, y1] = span(1);
  const x = (value) => (LEFT + ((WIDTH - LEFT - RIGHT) * Math.log10(value / x0)) / Math.log10(x1 / x0)).toFixed(1);
  const y = (value) => (HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * Math.log10(value / y0)) / Math.log10(y1 / y0)).toFixed(1);
  const body = [`<text class="title" x="16" y="24">${escape(title)}</text>`];
  for (const at of decades(x0, x1)) if (at <= x1) body.push(`<line class="grid" x1="${x(at)}" x2="${x(at)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="soft" x="${x(at)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(at).replace(/\.00$|\.0$/, '')}</text>`);
  for (const at of decades(y0, y1)) if (at <= y1) body.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(at)}" y2="${y(at)}"/><text class="soft" x="${LEFT - 8}" y="${Number(y(at)) + 4}" text-anchor="end">${short(at)}</text>`);
  let labelAt = -Infinity;
  for (const [index, { name, points }] of [...lines].sort((a, b) => b.points.at(-1)[1] - a.points.at(-1)[1]).entries()) {
    const colour = LINE_COLOURS[index % LINE_COLOURS.length];
    const [lastX, lastY] = points.at(-1);
    labelAt = Math.max(Number(y(lastY)) + 4, labelAt + 16);
    body.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}"/>`);
    body.push(...points.map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3" fill="${colour}"/>`));
    body.push(`<text x="${Number(x(lastX)) + 10}" y="${labelAt}" style="fill:${colour};font-weight:600">${escape(name)}</text>`);
  }
  body.push(`<text class="soft" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escape(xLabel)}</text>`, `<text class="soft" x="${LEFT}" y="${TOP - 6}">${escape(yLabel)}</text>`);
  return frame(WIDTH, HEIGHT, body);
}
