// Reads the files that options name: tokens and certificates.
import { readFileSync } from 'node:fs';
import { InvalidOptionError } from '../errors.js';
import type { TlsOptions } from '../transport/socket.js';

export interface TokenFlags { token?: string; tokenFile?: string }

/** Of every option that takes a token itself. */
export const TOKEN_HELP = 'better in a file or in MIMAS_TOKEN: it is taken out of the list of processes only once the program runs, and shells remember it';
export interface TlsFlags { tlsCert?: string; tlsKey?: string; tlsCa?: string }

/** The token of `--token`, `--token-file` or MIMAS_TOKEN. @throws InvalidOptionError when the file cannot be read or is empty */
export function readToken({ token, tokenFile }: TokenFlags): string | undefined {
  if (tokenFile === undefined) return token;
  const text = read('--token-file', tokenFile).trim();
  if (text === '') throw new InvalidOptionError(`--token-file: ${tokenFile} is empty`, { option: '--token-file' });
  return text;
}

export function readTls({ tlsCert, tlsKey, tlsCa }: TlsFlags): TlsOptions | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  return {
    ...(tlsCert === undefined ? {} : { cert: read('--tls-cert', tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: read('--tls-key', tlsKey) }),
    ...(tlsCa === undefined ? {} : { ca: read('--tls-ca', tlsCa) }),
  };
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InvalidOptionError(`${option}: cannot read ${file}: ${(error as Error).message}`, { option, cause: error });
  }
}
