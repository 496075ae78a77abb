// A process that another program serves. Here that program is `mimas serve`; the token is the key to its door.
// Run it:  npm run build && node --import mimas/register examples/remote.ts
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createProcessManager, UnauthorizedError } from 'mimas';
import type Calculator from '../processes/calculator.process.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
// In a project of yours: npx mimas serve calculator.process.ts --json
const server = spawn(process.execPath, [path('../dist/cli/main.js'), 'serve', path('../processes/calculator.process.ts'), '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
const { address, token } = JSON.parse(line) as { address: string; token: string };
console.log('served over', new URL(address).protocol);

await using pm = createProcessManager();
const calc = await pm.connect<Calculator>(address, { token });
console.log('5 + 3 =', await calc.add(5, 3));
for await (const n of calc.countTo(2)) console.log(n);

const refused = await pm.connect(address, { token: 'guessed' }).catch((error: unknown) => error);
console.log('without the token:', refused instanceof UnauthorizedError);

server.kill('SIGTERM');
const [code] = (await once(server, 'exit')) as [number];
console.log('the server left with', code);
