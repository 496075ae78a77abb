// Starts a server file of a peer in a process of its own and waits until it says where it listens.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @returns {Promise<{ port: unknown, child: import('node:child_process').ChildProcess }>} */
export function startServer(name, args = []) {
  const file = fileURLToPath(new URL(`../serve/${name}`, import.meta.url));
  const child = fork(file, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('message', (port) => resolve({ port, child }));
    child.once('exit', (code) => reject(new Error(`${name} exited with ${code} before it listened`)));
  });
}

/** In a server: tells where it listens, and ends with its parent. */
export function listening(port) {
  process.on('disconnect', () => process.exit(0));
  process.send(port);
}
