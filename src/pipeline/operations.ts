// Operations on a running pipeline over its socket: one request a connection, one JSON object a line.
// Who can reach the socket may do everything; the folder around it keeps others out.
import { readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { InvalidOptionError, PipelineRunningError } from '../errors.js';
import type { PipelineEvents } from './events.js';
import type { PipelineSpec } from './model.js';
import type { PipelineRunner } from './runner.js';
import { answersAt, socketOf } from './runtime-folder.js';

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

const EVENTS: readonly (keyof PipelineEvents)[] = ['pipeline', 'component', 'log', 'progress'];
const DEFAULT_TAIL = 100;

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
    if (await answersAt(this.path)) throw new PipelineRunningError(`a pipeline called ${this.#runner.spec.name} runs already; mimas down ${this.#runner.spec.name} ends it`);
    await rm(this.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.path, resolve);
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
    createInterface({ input: socket }).once('line', (line) => void this.#answer(socket, line));
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const send = (reply: Reply) => void (socket.writable && socket.write(`${JSON.stringify(reply)}\n`));
    try {
      const request = JSON.parse(line) as Request;
      const value = await this.#perform(request, socket, send);
      if (value !== undefined) send({ ok: true, value });
      if (value !== undefined) socket.end();
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
        return runner.status();
      case 'stop':
        await runner.stopComponent(request.id);
        return runner.status();
      case 'restart':
        await runner.restart(request.id);
        return runner.status();
      case 'scale':
        await runner.scale(request.id, request.replicas);
        return runner.status();
      case 'reload':
        return runner.reload(this.#options.load());
      case 'down':
        // The answer is the end of the pipeline, and with it of this connection.
        this.#forward(socket, send, ['pipeline', 'component']);
        void (request.kill ? runner.kill() : runner.stop('down'));
        return undefined;
      case 'attach':
        send({ ok: true, value: runner.status() });
        this.#forward(socket, send, EVENTS);
        return undefined;
      case 'logs':
        return this.#logs(request, socket, send);
      default:
        throw new InvalidOptionError(`unknown operation ${JSON.stringify((request as { op?: unknown }).op)}`, { option: 'op' });
    }
  }

  async #logs({ id, follow, tail = DEFAULT_TAIL }: Extract<Request, { op: 'logs' }>, socket: Socket, send: (reply: Reply) => void): Promise<unknown> {
    const runner = this.#runner;
    const files = runner.logFiles(id);
    const ids = new Set(files.map((file) => file.id));
    // What is printed while the files are read comes after them.
    const meanwhile: PipelineEvents['log'][] = [];
    let live = false;
    const off = runner.events.on('log', (detail) => {
      if (!ids.has(detail.id)) return;
      if (live) send({ event: 'log', detail });
      else meanwhile.push(detail);
    });
    socket.on('close', off);
    await runner.flushLogs();
    meanwhile.length = 0;
    for (const file of files) {
      const lines = (await readFile(file.path, 'utf8').catch(() => '')).split('\n').slice(0, -1).slice(-tail);
      for (const line of lines) send({ event: 'log', detail: { id: file.id, stream: 'stdout', line } });
    }
    if (!follow) {
      off();
      return true;
    }
    for (const detail of meanwhile) send({ event: 'log', detail });
    live = true;
    return undefined;
  }

  #forward(socket: Socket, send: (reply: Reply) => void, names: readonly (keyof PipelineEvents)[]): void {
    for (const name of names) socket.on('close', this.#runner.events.on(name, (detail) => send({ event: name, detail })));
  }
}
