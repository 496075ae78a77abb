// Something in between that can be cut: listens at an address of its own and passes everything on to another.
import { createServer, connect, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';

export class Cutter {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    /** Where to connect to instead. */
    readonly address: string,
  ) {}

  /** `path`: listens on a unix socket there; else on a port of the loopback. */
  static async before(target: NetConnectOpts, path?: string): Promise<Cutter> {
    let cutter!: Cutter;
    const server = createServer((near) => {
      const far = connect(target);
      for (const [from, to] of [[near, far], [far, near]] as const) {
        cutter.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          cutter.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path }, resolve));
    cutter = new Cutter(server, path === undefined ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`);
    return cutter;
  }

  /** Cuts every connection; what is on its way is lost. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }
}
