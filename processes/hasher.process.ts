// Hashes files. `sha256` may run twice without harm, so it is idempotent: a crash in the middle costs time, not a file.
import { Process, Public, currentCall } from 'mimas';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

export interface FileHash {
  file: string;
  /** Hexadecimal. */
  sha256: string;
  bytes: number;
}

@Process({ name: 'hasher', version: '1.0.0', description: 'SHA-256 of files' })
export default class Hasher {
  /** Reads a file in chunks, and stops reading when the call is cancelled. */
  @Public({ idempotent: true })
  async sha256(file: string): Promise<FileHash> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream(file, { signal: currentCall().signal }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { file, sha256: hash.digest('hex'), bytes };
  }

  /** Hashes bytes that the caller has. */
  @Public({ idempotent: true })
  digest(data: Uint8Array): string {
    return createHash('sha256').update(data).digest('hex');
  }
}
