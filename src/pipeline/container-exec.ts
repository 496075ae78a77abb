// A command beside the program of a container: its exit code and what it printed. It does not outlive its time.
import { readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import { PassThrough } from 'node:stream';

const MOST_OUTPUT = 4096;

export async function execIn(container: Docker.Container, command: readonly string[], signal: AbortSignal): Promise<{ code: number; output: string }> {
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  const out = new PassThrough();
  let output = '';
  out.on('data', (chunk: Buffer) => (output = `${output}${chunk.toString()}`.slice(-MOST_OUTPUT)));
  container.modem.demuxStream(stream, out, out);
  const abort = () => stream.destroy();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  await new Promise((resolve) => {
    stream.on('end', resolve);
    stream.on('close', resolve);
    stream.on('error', resolve);
  });
  signal.removeEventListener('abort', abort);
  const { ExitCode, Running, Pid } = await exec.inspect();
  if (Running) end(Pid, container.id);
  return { code: ExitCode ?? -1, output };
}

/** The engine has no word for it. Its pid is one of this machine only when the kernel says that it is of this very container. */
function end(pid: number, container: string): void {
  try {
    if (pid > 1 && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(container)) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, it is on another machine, or it is not ours to end: it goes with its container.
  }
}
