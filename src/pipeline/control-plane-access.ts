// Who may do what at the control plane. Each component is given a token that holds its id, so that it can speak for itself and for
// nobody else. Invariant: nothing is looked up or changed before the token was compared, in constant time.
import { createHmac, randomBytes } from 'node:crypto';
import { InvalidOptionError, UnauthorizedError, UnsupportedOptionError } from '../errors.js';
import { ownUid } from '../runtime/own-folder.js';
import { sameToken } from '../transport/auth.js';
import { knowsPeers } from './peer-user.js';

/**
 * `components`: who shows the token of a component of this pipeline. `user`: also any program of the user who runs the pipeline, on
 * this machine. `anyone`: everybody who reaches the port.
 */
export type Audience = 'components' | 'user' | 'anyone';
export const AUDIENCES: readonly Audience[] = ['components', 'user', 'anyone'];

export interface Caller {
  readonly authorization: string | undefined;
  /** Of the program that has connected; undefined when it is not on this machine. */
  uid(): number | undefined;
}

export interface AccessOptions {
  /** Who registers, sends heartbeats and unregisters: components under their own id only. The others are for components that cannot show a token. Default `components`. */
  readonly register?: Audience | undefined;
  /** Who lists, discovers and asks for a status. Default `components`. */
  readonly read?: Audience | undefined;
}

/** It has shown who it is, but that is not whom it speaks for. */
export class ForbiddenError extends Error {
  override readonly name = 'ForbiddenError';
}

const SCHEME = 'Bearer ';

export class ControlPlaneAccess {
  readonly #secret = randomBytes(32);
  readonly #options: { readonly register: Audience; readonly read: Audience };

  /** @throws InvalidOptionError */
  constructor({ register = 'components', read = 'components' }: AccessOptions) {
    for (const [option, value] of Object.entries({ register, read })) {
      if (!AUDIENCES.includes(value)) throw new InvalidOptionError(`controlPlane.${option} must be components, user or anyone, got ${String(value)}`, { option: `controlPlane.${option}` });
      if (value === 'user' && !knowsPeers()) throw new UnsupportedOptionError(`controlPlane.${option}: user needs /proc/net/tcp, which tells whose a connection is; give anyone, or components`, { option: `controlPlane.${option}` });
    }
    this.#options = { register, read };
  }

  /** For the environment of a component. The same for all its incarnations. */
  tokenOf(id: string): string {
    return `${id}.${createHmac('sha256', this.#secret).update(id).digest('base64url')}`;
  }

  /** @throws UnauthorizedError */
  toRead(caller: Caller): void {
    if (this.#idOf(caller) === undefined && !admits(this.#options.read, caller)) throw stranger('to read needs the token of a component (or --control-plane-read user)');
  }

  /** The id that the caller may speak for: `wanted`, or its own when it names none. @throws UnauthorizedError, ForbiddenError */
  toSpeakFor(wanted: string, caller: Caller): string {
    const own = this.#idOf(caller);
    if (own === undefined) {
      if (admits(this.#options.register, caller)) return wanted;
      throw stranger('a component shows the FLOWCTL_TOKEN that it was started with (or --control-plane-register user)');
    }
    if (wanted !== '' && wanted !== own) throw new ForbiddenError(`component ${own} may not speak for ${wanted}`);
    return own;
  }

  /** Undefined when nothing is shown. @throws UnauthorizedError when it is wrong */
  #idOf({ authorization }: Caller): string | undefined {
    if (authorization === undefined) return undefined;
    const token = authorization.startsWith(SCHEME) ? authorization.slice(SCHEME.length) : '';
    const id = token.slice(0, Math.max(0, token.lastIndexOf('.')));
    if (!sameToken(this.tokenOf(id), token)) throw stranger('the token is wrong');
    return id;
  }
}

/** Who shows nothing. */
const admits = (audience: Audience, caller: Caller): boolean => audience === 'anyone' || (audience === 'user' && caller.uid() === ownUid());

const stranger = (why: string): UnauthorizedError => new UnauthorizedError(`${why}: authorization: Bearer <token>`);
