// A peer that says what it likes, entry by entry, to a session that serves `methods` in this thread.
import { Service } from '../../src/rpc/service.js';
import { Session, type SessionOptions } from '../../src/rpc/session.js';
import { memoryLinks } from '../../src/transport/memory.js';

export type Methods = Record<string, (...args: never[]) => unknown>;

export interface RawPeer {
  readonly session: Session;
  /** What the session has sent, batch after batch. */
  readonly received: unknown[];
  /** The error that ended the link; undefined while it is up. */
  readonly fault: () => Error | undefined;
  send(entries: unknown[], attachments?: unknown[]): void;
  /** Resolves when the link has ended. */
  readonly ended: Promise<void>;
  close(): void;
}

export function rawPeer(methods: Methods, options: Partial<SessionOptions> & { specs?: Record<string, object> } = {}): RawPeer {
  const [near, far] = memoryLinks();
  const received: unknown[] = [];
  let fault: Error | undefined;
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const specs = Object.keys(methods).map((name) => ({ name, stream: false, ...options.specs?.[name] }));
  const session = new Session({
    link: far, self: 'server', peer: 'a stranger', service: new Service('server', methods, specs as never), ...options,
    onClosed: (error) => {
      fault = error;
      end();
    },
  });
  near.start({ batch: (entries) => void received.push(...entries), drain() {}, closed() {} });
  return { session, received, fault: () => fault, send: (entries, attachments = []) => void near.send(entries, attachments, []), ended, close: () => near.close() };
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
