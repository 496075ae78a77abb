// Where a launcher leaves the token that it made, for programs of the same user: one record for each address that it listens at,
// in a folder that only this user can enter. Invariant: a token is shown only to the program that made it, never to whoever took
// the port after its end.
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nanoid } from 'nanoid';
import { isSame, myself, type Identity } from '../runtime/identity.js';
import { OWN_FILE, ownUid, runtimeFolder } from '../runtime/own-folder.js';

export interface FoundLauncher {
  /** Where it listens, for a client. */
  readonly address: string;
  readonly token: string;
}

/** Of tokens that people choose. */
export const LEAST_TOKEN = 16;
const SUFFIX = '.token';
/** `launcher-<host>-<port>.<pid>.<start>.<boot>.token`: the name says whose it is, so nobody ever removes another's. */
const NAME = /^launcher-(.+-\d+)\.(\d+)\.(\d*)\.([0-9a-f-]*)\.token(?:\.new)?$/;
/** `localhost` may be any of them. */
const LOCALHOST = ['localhost', '127.0.0.1', '::1'];

export const makeToken = (): string => nanoid(32);

/** Remembers the token for as long as this program lives. Answers the file; removes what ended launchers have left. @throws UnauthorizedError, or what the file system says */
export function rememberToken(host: string, port: number, token: string): string {
  const folder = runtimeFolder();
  for (const { name, owner } of records(folder)) if (!isSame(owner)) rmSync(join(folder, name), { force: true });
  const { pid, startTicks, boot } = myself();
  const file = join(folder, `launcher-${placeOf(host, port)}.${pid}.${startTicks}.${boot}${SUFFIX}`);
  rmSync(`${file}.new`, { force: true });
  // In one step: who reads sees all of it or nothing.
  writeFileSync(`${file}.new`, `${token}\n`, { mode: OWN_FILE, flag: 'wx' });
  renameSync(`${file}.new`, file);
  return file;
}

/** Its name is this program's alone. */
export const forgetToken = (file: string): void => rmSync(file, { force: true });

/** The launcher of this user that listens at `host:port` and lives; undefined when there is none. Needs `/proc`. */
export function findLauncher(address: string): FoundLauncher | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return undefined;
  let folder: string;
  try {
    folder = runtimeFolder();
  } catch {
    return undefined;
  }
  for (const one of host === 'localhost' ? LOCALHOST : [host]) {
    const place = placeOf(one, Number(digits));
    const found = records(folder).find(({ at, name, owner }) => at === place && name.endsWith(SUFFIX) && isSame(owner));
    const token = found && readOwn(join(folder, found.name));
    // By that very address: at another one of the same name somebody else may listen.
    if (token !== undefined) return { address: `${one.includes(':') ? `[${one}]` : one}:${digits}`, token };
  }
  return undefined;
}

/** The token in `file`, made if there is none; a file that others could read, or have made, is replaced. */
export function tokenInFile(file: string): string {
  const kept = readOwn(file);
  if (kept !== undefined && kept.length >= LEAST_TOKEN) return kept;
  const token = makeToken();
  rmSync(file, { force: true });
  writeFileSync(file, `${token}\n`, { mode: OWN_FILE, flag: 'wx' });
  return token;
}

function readOwn(file: string): string | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    const { uid, mode } = fstatSync(handle);
    return (uid === ownUid() && (mode & 0o077) === 0) || process.platform === 'win32' ? readFileSync(handle, 'utf8').trim() : undefined;
  } catch {
    return undefined;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

const placeOf = (host: string, port: number): string => `${encodeURIComponent(host)}-${port}`;

interface Found {
  readonly name: string;
  readonly at: string;
  readonly owner: Identity;
}

const records = (folder: string): Found[] =>
  readdirSync(folder).flatMap((name) => {
    const [, at, pid, startTicks, boot] = NAME.exec(name) ?? [];
    return at === undefined ? [] : [{ name, at, owner: { pid: Number(pid), startTicks: startTicks!, boot: boot! } }];
  });
