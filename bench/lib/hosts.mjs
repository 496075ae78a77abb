// The measured processes: one for each system that lives through all rounds, and one for each fresh job.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HOST = fileURLToPath(new URL('../host.mjs', import.meta.url));
/** Above any window by far: what takes longer hangs. */
const LIMIT = 120_000;

export class Host {
  #child;
  #failed = false;

  static async open(system, fresh = false) {
    const host = new Host();
    host.#child = fork(HOST, [system.file, system.name, ...(fresh ? ['fresh'] : [])], { execArgv: fresh ? ['--expose-gc'] : [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    host.facts = (await host.#answer()).ready;
    return host;
  }

  /** The figures of a job; throws when it fails, and from then on. */
  async run(job, window) {
    if (this.#failed) throw new Error('it failed before');
    this.#child.send({ job, window });
    try {
      const { figures, error } = await this.#answer();
      if (error) throw new Error(error);
      return figures;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  async close() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await gone;
    clearTimeout(late);
  }

  #answer() {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (done, value) => {
        clearTimeout(late);
        child.off('message', onMessage);
        child.off('exit', onExit);
        done(value);
      };
      const onMessage = (message) => settle(resolve, message);
      const onExit = (code, signal) => settle(reject, new Error(`the measured process ended (${signal ?? code})`));
      const late = setTimeout(() => settle(reject, new Error(`no answer for ${LIMIT / 1000} s`)), LIMIT);
      child.on('message', onMessage);
      child.on('exit', onExit);
    });
  }
}

/** A job in a process of its own. */
export async function runFresh(system, job, window) {
  const host = await Host.open(system, true);
  try {
    return await host.run(job, window);
  } finally {
    await host.close();
  }
}
