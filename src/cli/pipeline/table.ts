// Rows in columns, for `mimas ps` and for the table that stays at the bottom of a terminal.
import type { PipelineStatus } from '../../pipeline/events.js';
import { formatDuration } from '../../units.js';

const STATE_COLOURS: Readonly<Record<string, number>> = { healthy: 32, running: 32, completed: 36, starting: 33, restarting: 33, pending: 90, stopping: 33, stopped: 90, skipped: 90, unhealthy: 31, failed: 31 };

export function statusTable({ components }: PipelineStatus, { colour, width }: { colour: boolean; width?: number | undefined }): string[] {
  const rows = components.map(({ id, kind, state, pid, container, restarts, uptime, ports, registered, detail }) => [
    id, kind, state, container?.slice(0, 12) ?? (pid === undefined ? '-' : String(pid)), String(restarts), uptime === undefined ? '-' : formatDuration(uptime), ports.join(',') || '-', registered?.toLowerCase() ?? '-', detail ?? '',
  ]);
  const all = [['NAME', 'KIND', 'STATE', 'PID', 'RESTARTS', 'UPTIME', 'PORTS', 'REGISTERED', ''], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row, at) => {
    const line = row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd().slice(0, width);
    const state = row[2]!;
    return colour && at > 0 ? line.replace(state, `\u001B[${STATE_COLOURS[state] ?? 0}m${state}\u001B[0m`) : line;
  });
}

/** A table that stays below what is printed. */
export class LiveTable {
  #drawn = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly rows: () => readonly string[],
  ) {
    this.#timer = setInterval(() => this.#redraw(), 1000);
    this.#timer.unref();
  }

  print(line: string): void {
    this.#erase();
    this.out.write(`${line}\n`);
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #redraw(): void {
    this.#erase();
    this.#draw();
  }

  #draw(): void {
    const rows = ['', ...this.rows()].slice(0, Math.max(0, (this.out.rows || 24) - 2));
    this.out.write(rows.map((row) => `${row}\n`).join(''));
    this.#drawn = rows.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.out.write(`\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }
}
