// Operations on a running pipeline over its socket: one request a connection, one JSON object a line.
// Who can reach the socket may do everything; the folder around it keeps others out.
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { InvalidOptionError, PipelineRunningError } from '../errors.js';
import { EVENT_NAMES, type PipelineEvents } from './events.js';
import type { PipelineSpec } from './model.js';
import { statusAt } from './operations-client.js';
import type { PipelineRunner } from './runner.js';
import { isInUse, socketOf } from './runtime-folder.js';

export type Request =
  | { op: 'status' }
  | { op: 'logs'; id?: string | undefined; follow?: boolean | undefined; tail?: number | undefined }
  | { op: 'stop' | 'restart'; id: string }
  | { op: 'scale'; id: string; replicas: number }
  | { op: 'reload' }
  | { op: 'down'; kill?: boolean | undefined }
  /** All events from now on, until either side hangs up. */
  | { op: 'attach' };

export type Reply = { ok: true; value: unknown } | { ok: false; error: { code: string | undefined; message: string } } | { event: keyof PipelineEvents; detail: unknown };

export interface OperationsOptions {
  readonly folder?: string;
  /** Reads the pipeline file again, for `reload`. */
  load(): PipelineSpec;
}

const DEFAULT_TAIL = 100;
/** A socket that a killed program has just left is removed when it is no longer young. */
const RETRY_MS = 50;
/** Bytes on their way to one reader. */
const MOST_WAITING = 4 * 1024 ** 2;

export class OperationsServer {
  readonly path: string;
  readonly #runner: PipelineRunner;
  readonly #options: OperationsOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(runner: PipelineRunner, options: OperationsOptions) {
    this.#runner = runner;
    this.#options = options;
    this.path = socketOf(runner.spec.name, options.folder);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @throws PipelineRunningError when a pipeline of this name runs already */
  async listen(): Promise<void> {
    // Of several that come at once one gets the path: nobody removes what another has just bound.
    while (!(await this.#bind())) {
      if (await isInUse(this.path)) throw new PipelineRunningError(await this.#whoRuns());
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #whoRuns(): Promise<string> {
    const { name, file } = this.#runner.spec;
    const other = await statusAt(this.path).catch(() => undefined);
    if (other === undefined || other.file === file) return `a pipeline called ${name} runs already${other ? `, from ${other.file}` : ''}; mimas down ${name} ends it`;
    return `a pipeline called ${name} runs already, that of another folder: ${other.file}; end it there (mimas down), or give this one another metadata.name`;
  }

  /** False when the path is taken. */
  #bind(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error));
      this.#server.once('error', refused);
      this.#server.listen(this.path, () => {
        this.#server.off('error', refused);
        resolve(true);
      });
    });
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // Who is attached has been told of the end; what is still on its way gets through.
    for (const socket of this.#sockets) socket.end();
    const late = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), 1000);
    await closed;
    clearTimeout(late);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const lines = createInterface({ input: socket });
    lines.on('error', () => {});
    lines.once('line', (line) => void this.#answer(socket, line));
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    let dropped = 0;
    const send = (reply: Reply) => {
      if (!socket.writable) return;
      // Who reads too slowly loses lines, and is told how many; nothing piles up here.
      if ('event' in reply && reply.event === 'log') {
        if (socket.writableLength > MOST_WAITING) return void dropped++;
        if (dropped > 0) socket.write(`${JSON.stringify({ event: 'log', detail: { ...(reply.detail as PipelineEvents['log']), line: `… ${dropped} lines were left out: they were read too slowly` } })}\n`);
        dropped = 0;
      }
      socket.write(`${JSON.stringify(reply)}\n`);
    };
    try {
      const request = JSON.parse(line) as Request;
      const value = await this.#perform(request, socket, send);
      if (value === undefined) return;
      send({ ok: true, value });
      socket.end();
    } catch (error) {
      send({ ok: false, error: { code: (error as { code?: string }).code, message: (error as Error).message } });
      socket.end();
    }
  }

  /** Answers undefined when the connection stays open. */
  async #perform(request: Request, socket: Socket, send: (reply: Reply) => void): Promise<unknown> {
    const runner = this.#runner;
    switch (request.op) {
      case 'status':
        return runner.measure();
      case 'stop':
        await runner.stopComponent(request.id);
        return runner.status();
      case 'restart':
        await runner.restart(request.id);
        return runner.status();
      case 'scale':
        return runner.scale(request.id, request.replicas);
      case 'reload':
        return runner.reload(this.#options.load());
      case 'down':
        // The answer is the end of the pipeline, and with it of this connection.
        this.#forward(socket, send, ['pipeline', 'component']);
        void (request.kill ? runner.kill() : runner.stop('down'));
        return undefined;
      case 'attach':
        send({ ok: true, value: runner.status() });
        this.#forward(socket, send, EVENT_NAMES);
        return undefined;
      case 'logs':
        return this.#logs(request, socket, send);
      default:
        throw new InvalidOptionError(`unknown operation ${JSON.stringify((request as { op?: unknown }).op)}`, { option: 'op' });
    }
  }

  async #logs({ id, follow, tail = DEFAULT_TAIL }: Extract<Request, { op: 'logs' }>, socket: Socket, send: (reply: Reply) => void): Promise<unknown> {
    const logs = this.#runner.logs(id);
    const live = new Set<string>();
    const off = this.#runner.events.on('log', (detail) => void (live.has(detail.id) && send({ event: 'log', detail })));
    socket.on('close', off);
    for (const { id: of, log } of logs) {
      for (const line of await log.tail(tail)) send({ event: 'log', detail: { id: of, stream: 'stdout', line } });
      // What it prints from now on is not in what was read.
      live.add(of);
    }
    if (follow) return undefined;
    off();
    return true;
  }

  #forward(socket: Socket, send: (reply: Reply) => void, names: readonly (keyof PipelineEvents)[]): void {
    for (const name of names) socket.on('close', this.#runner.events.on(name, (detail) => send({ event: name, detail })));
  }
}
