// `mimas run -d`: the same command once more, in a session of its own, until its pipeline is up or is not going to be.
import { spawn } from 'node:child_process';
import { closeSync, fchmodSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childFlags } from '../../runtime/flags.js';
import { OWN_FILE, OWN_FOLDER } from '../../runtime/own-folder.js';
import { EXIT, SIGNAL_BASE, STOP_SIGNALS } from '../exit-codes.js';
import { event, note } from '../output.js';

const INTERRUPTED = SIGNAL_BASE + STOP_SIGNALS.SIGINT;

/** Resolves with the exit code. Ctrl+C before the pipeline is up ends it. */
export async function detach(pipeline: string, logDir: string, json: boolean | undefined, command = process.argv.slice(1)): Promise<number> {
  mkdirSync(logDir, { recursive: true, mode: OWN_FOLDER });
  const log = join(logDir, `${pipeline}.mimas.log`);
  const out = openSync(log, 'w', OWN_FILE);
  // It may be one of an earlier version.
  fchmodSync(out, OWN_FILE);
  const args = [...command.filter((arg) => arg !== '-d' && arg !== '--detach'), '--detached'];
  const child = spawn(process.execPath, [...childFlags(undefined), ...args], { detached: true, stdio: ['ignore', out, out, 'ipc'] });
  closeSync(out);
  let interrupted = false;
  const interrupt = () => {
    child.kill(interrupted ? 'SIGKILL' : 'SIGINT');
    interrupted = true;
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const started = await new Promise<boolean>((done) => {
    child.on('message', (news) => done(news === 'started'));
    child.on('exit', (code) => done(code === 0));
    child.on('error', () => done(false));
  });
  if ((!started || interrupted) && child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
  if (child.connected) child.disconnect();
  child.unref();
  if (interrupted) return INTERRUPTED;
  if (!started) note(readFileSync(log, 'utf8').trimEnd());
  else if (json) event('detached', { name: pipeline, pid: child.pid, log });
  else note(`${pipeline} runs in the background (pid ${child.pid}); mimas ps shows it, mimas down ends it`);
  return started ? EXIT.done : (child.exitCode ?? EXIT.failed);
}

/** To whoever has detached this program and may have left already. */
export function tellParent(news: 'started' | 'failed'): void {
  if (process.connected) process.send?.(news, () => {});
}
