// tsyringe inside a process. The process file needs the decorator flags of tsyringe only for type checking: Mimas compiles
// a file that imports tsyringe with decorator metadata, whatever the tsconfig says.
// Run it:  npm run build && node --import mimas/register examples/dependency-injection.ts
import { createProcessManager } from 'mimas';
import type Greeter from './processes/greeter.process.js';

await using pm = createProcessManager();
const greeter = await pm.spawn<Greeter>(new URL('./processes/greeter.process.ts', import.meta.url), { dependencies: { greeting: 'Good day' } });
console.log(await greeter.greet('Ada'));
