// What the gRPC and the HTTP side of a launcher have in common: where they listen, and who gets in.
import { sameToken } from '../transport/auth.js';

export interface ServerTls {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Callers must show a certificate that this authority signed. */
  readonly ca?: string | Buffer | undefined;
}

export interface SideOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  readonly tls: ServerTls | undefined;
}

/** One of the two servers. */
export interface ServerSide {
  readonly port: number;
  /** Lets calls under way end, and closes. */
  close(): Promise<void>;
}

/** True when `given` is `Bearer <token>`; takes the same time whatever is wrong with it. */
export const tokenMatches = (given: string | undefined, token: string): boolean => sameToken(`Bearer ${token}`, given ?? '');
