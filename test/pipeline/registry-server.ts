// A registry for tests that pull images: real enough for a real engine.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A registry with one image of one layer, busybox: as much of the protocol as a pull needs. */
export async function serveImage() {
  const work = join(tmpdir(), `mimas-image-${process.pid}`);
  mkdirSync(join(work, 'bin'), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(work, 'bin/busybox')]);
  const layer = execFileSync('tar', ['-C', work, '-cf', '-', 'bin'], { maxBuffer: 64e6 });
  rmSync(work, { recursive: true });
  const digest = (data: Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;
  const config = Buffer.from(JSON.stringify({ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digest(layer)] } }));
  const TYPE = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPE,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length, digest: digest(config) },
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar', size: layer.length, digest: digest(layer) }],
  }));
  const blobs = new Map([config, layer, manifest].map((data) => [digest(data), data]));
  const asked: string[] = [];
  const server = createServer(({ url = '', method }, response) => {
    asked.push(url);
    if (url === '/v2/') return response.end('{}');
    const data = url.includes('/manifests/') ? manifest : blobs.get(url.split('/').at(-1)!);
    if (!data) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': data === manifest ? TYPE : 'application/octet-stream', 'content-length': data.length, 'docker-content-digest': digest(data) });
    return response.end(method === 'HEAD' ? undefined : data);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { asked, port: (server.address() as { port: number }).port, close: () => server.close() };
}
