// How a pipeline is told on a terminal: the thirteen lines of seed 003, components' lines with coloured names, JSON events.
import { EVENT_NAMES, type PipelineEvents } from '../../pipeline/events.js';
import { fitForTerminal, printable } from '../../printable.js';
import type { Emitter } from '../../supervisor/emitter.js';

export type Style = 'plain' | 'full' | 'json';
/** Where lines go; a status table below them wants to know. */
export type Sink = (line: string) => void;

const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const RED = 31;
const GREY = 90;

export class Narrator {
  readonly #style: Style;
  readonly #sink: Sink;
  readonly #colour: boolean;
  readonly #lines: boolean;
  readonly #names: string[] = [];
  #width = 0;

  /** `lines` false: what components print is left out. */
  constructor({ style, sink, colour, lines = true }: { style: Style; sink: Sink; colour: boolean; lines?: boolean }) {
    this.#lines = lines;
    this.#style = style;
    this.#sink = sink;
    this.#colour = colour && style === 'full';
  }

  listen(events: Emitter<PipelineEvents>): void {
    for (const name of EVENT_NAMES) events.on(name, (detail) => this.tell(name, detail));
  }

  /** Names that will come, so that all prefixes have one width. */
  expect(names: readonly string[]): void {
    for (const name of names) this.#index(name);
  }

  tell(name: keyof PipelineEvents, detail: PipelineEvents[keyof PipelineEvents]): void {
    if (name === 'log' && !this.#lines) return;
    if (this.#style === 'json') return this.#sink(printable(JSON.stringify({ event: name, time: new Date().toISOString(), ...detail })));
    const line = lineOf(name, detail);
    if (line !== undefined && (line.always || this.#style === 'full')) this.#sink(line.always ? printable(line.text) : this.#paint(printable(line.text), GREY));
    if (name === 'log' && this.#style === 'full') {
      const { id, stream, line: printed } = detail as PipelineEvents['log'];
      const text = fitForTerminal(printed, { colour: this.#colour });
      this.#sink(`${this.#prefix(id)} ${stream === 'stderr' ? this.#paint(text, RED) : text}`);
    }
  }

  /** Told once, when the first Ctrl+C (or SIGTERM) has come. */
  signal(signal: string): void {
    this.#sink(this.#style === 'json' ? JSON.stringify({ event: 'signal', time: new Date().toISOString(), signal }) : 'Received shutdown signal');
  }

  #prefix(id: string): string {
    const index = this.#index(id);
    return this.#paint(`${printable(id).padEnd(this.#width)} |`, COLOURS[index % COLOURS.length]!);
  }

  #index(id: string): number {
    const known = this.#names.indexOf(id);
    if (known >= 0) return known;
    this.#width = Math.max(this.#width, id.length);
    return this.#names.push(id) - 1;
  }

  #paint(text: string, colour: number): string {
    return this.#colour ? `\u001B[${colour}m${text}\u001B[0m` : text;
  }
}

/** `always`: one of the seed's lines, or something that went wrong; the rest is left out by --plain. */
function lineOf(name: keyof PipelineEvents, detail: PipelineEvents[keyof PipelineEvents]): { text: string; always: boolean } | undefined {
  const say = (text: string, always = true) => ({ text, always });
  if (name === 'progress') return say((detail as PipelineEvents['progress']).message, (detail as PipelineEvents['progress']).warning === true);
  if (name === 'pipeline') {
    const { phase, name: pipeline, reason, failed } = detail as PipelineEvents['pipeline'];
    if (phase === 'starting') return say(`Starting pipeline: ${pipeline}`);
    if (phase === 'started') return say(failed ? `Pipeline started without ${failed.join(', ')}, which failed` : 'Pipeline started successfully');
    if (phase === 'stopped') return say('Pipeline stopped successfully');
    if (phase === 'stopping' && reason === 'completed') return say('All components completed', false);
    return undefined;
  }
  if (name !== 'component') return undefined;
  const { id, state, from, first, check, detail: why, restarts } = detail as PipelineEvents['component'];
  switch (state) {
    case 'starting':
      return say(`Starting component: ${id}`);
    case 'running':
    case 'healthy':
      if (from === 'unhealthy') return say(`Component ${id} is healthy again`);
      if (!first) return say(`Component ${id} is up again (restart ${restarts})`);
      return say(check ? `Component ${id} health check passed` : `Component ${id} started`);
    case 'completed':
      return say(`Component ${id} completed`);
    case 'unhealthy':
      return say(`Component ${id} is unhealthy: ${why ?? ''}`);
    case 'restarting':
      return why === undefined ? undefined : say(`Component ${id} ${why}; it is started again`);
    case 'failed':
      return say(`Component ${id} ${why ?? 'failed'}`);
    case 'skipped':
      return say(`Component ${id} skipped: ${why ?? ''}`);
    case 'stopping':
      return say(`Stopping component: ${id}`);
    default:
      return undefined;
  }
}
