// What all of the suite stands on: a manager, a folder for sockets, a certificate. It goes when the work is done.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProcessManager } from 'mimas';
import type { Certificate } from './raw-peer.js';
import type { Stage } from './victim.js';

export async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mimas-hostile-'));
  const pm = createProcessManager({ name: 'hostile suite', output: 'capture' });
  try {
    return await work({ pm, folder, certificate: certificateIn(folder) });
  } finally {
    await pm.shutdown({ timeout: 5_000 }).catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  }
}

function certificateIn(folder: string): Certificate {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}
