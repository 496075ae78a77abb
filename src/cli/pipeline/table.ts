// Rows in columns, for `mimas ps` and for the table that stays at the bottom of a terminal.
import type { PipelineStatus } from '../../pipeline/events.js';
import { printable } from '../../printable.js';
import { formatBytes, formatDuration } from '../../units.js';

const STATE_COLOURS: Readonly<Record<string, number>> = { healthy: 32, running: 32, completed: 36, starting: 33, restarting: 33, pending: 90, stopping: 33, stopped: 90, skipped: 90, unhealthy: 31, failed: 31 };

const STATE = 'STATE';
const GAP = '  ';
// oxlint-disable-next-line no-control-regex
const SGR = /\u001B\[\d+m/g;

export function statusTable({ components }: PipelineStatus, { colour, width }: { colour: boolean; width?: number | undefined }): string[] {
  const rows = components.map(({ id, kind, state, pid, container, restarts, uptime, cpu, memory, ports, registered, detail }) => [
    id,
    kind,
    state,
    container?.slice(0, 12) ?? (pid === undefined ? '-' : String(pid)),
    cpu === undefined ? '-' : `${cpu.toFixed(1)}%`,
    memory === undefined ? '-' : formatBytes(memory),
    String(restarts),
    uptime === undefined ? '-' : formatDuration(uptime),
    ports.join(',') || '-',
    registered?.toLowerCase() ?? '-',
    detail ?? '',
  ].map(printable));
  const all = [['NAME', 'KIND', STATE, 'PID', 'CPU', 'MEM', 'RESTARTS', 'UPTIME', 'PORTS', 'REGISTERED', ''], ...rows];
  const widths = all[0]!.map((_, column) => all.reduce((most, row) => Math.max(most, row[column]!.length), 0));
  const at = all[0]!.indexOf(STATE);
  const start = widths.slice(0, at).reduce((sum, one) => sum + one + GAP.length, 0);
  return all.map((row, n) => {
    const line = row.map((cell, column) => cell.padEnd(widths[column]!)).join(GAP).trimEnd().slice(0, width);
    const state = row[at]!;
    if (!colour || n === 0 || line.slice(start, start + state.length) !== state) return line;
    return `${line.slice(0, start)}\u001B[${STATE_COLOURS[state] ?? 0}m${state}\u001B[0m${line.slice(start + state.length)}`;
  });
}

const AS_BEFORE = '\u001B[?25h';

/** A table that stays below what is printed. Whoever writes to the terminal goes through it. */
export class LiveTable {
  /** The length of each row that stands there. */
  #drawn: number[] = [];
  #closed = false;
  readonly #timer: NodeJS.Timeout;
  readonly #onResize = () => this.#redraw();
  /** Whoever ends this program: the cursor is there. */
  readonly #atExit = () => void this.out.write(AS_BEFORE);

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly measure: () => Promise<PipelineStatus>,
    private readonly rows: (status: PipelineStatus) => readonly string[],
    private readonly status: () => PipelineStatus,
  ) {
    this.#timer = setInterval(() => void this.measure().then(() => this.#redraw(), () => {}), 1000);
    this.#timer.unref();
    out.on('resize', this.#onResize);
    process.on('exit', this.#atExit);
  }

  print(line: string): void {
    this.out.write(`${this.#erasure()}${line}\n${this.#drawing()}`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.out.off('resize', this.#onResize);
    process.off('exit', this.#atExit);
    this.out.write(`${AS_BEFORE}${this.#erasure()}`);
    this.#closed = true;
  }

  #redraw(): void {
    if (!this.#closed) this.out.write(`${this.#erasure()}${this.#drawing()}`);
  }

  #drawing(): string {
    if (this.#closed) return '';
    const rows = ['', ...this.rows(this.status())].slice(0, Math.max(0, (this.out.rows || 24) - 2));
    this.#drawn = rows.map((row) => row.replace(SGR, '').length);
    return rows.map((row) => `${row}\n`).join('');
  }

  /** A terminal that has become narrower has broken long rows; `^C` may stand where the cursor is. */
  #erasure(): string {
    const columns = this.out.columns || Infinity;
    const height = this.#drawn.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / columns)), 0);
    this.#drawn = [];
    return height > 0 ? `\r\u001B[${height}A\u001B[J` : '';
  }
}
