// Errors cross with class, code, cause, own fields, and a stack that shows both sides.
// Run it:  npm run build && node --import mimas/register examples/errors.ts
import { createProcessManager, MethodNotFoundError, NotCloneableError, registerErrorClass, RemoteError } from 'mimas';
import { PaymentError } from '../processes/flaky.process.js';
import type Flaky from '../processes/flaky.process.js';

await using pm = createProcessManager();
const flaky = await pm.spawn<Flaky>(new URL('../processes/flaky.process.ts', import.meta.url));
const failed = (error: unknown) => error as Error & { code?: string; amount?: number; method?: string; path?: string };

const builtIn = failed(await flaky.fail().catch(failed));
console.log('built in:', builtIn instanceof TypeError, builtIn.message, '<-', (builtIn.cause as Error).name);
console.log('stack shows both sides:', /flaky\.process\.ts[\s\S]*examples\/errors\.ts/.test(builtIn.stack ?? ''));

const several = (await flaky.failTwice().catch(failed)) as unknown as AggregateError;
console.log('several:', several.errors.map((error: Error) => error.name).join(', '));

// A class that this side does not know keeps its name, code and fields …
const unknown = failed(await flaky.pay(12).catch(failed));
console.log('not registered:', unknown instanceof RemoteError, unknown.name, unknown.code, unknown.amount);
// … and is itself once both sides know it. (The process imports the class anyway: it registers nothing.)
registerErrorClass(PaymentError);
const known = failed(await flaky.pay(12).catch(failed));
console.log('registered:', known instanceof PaymentError, known.code, known.amount);

// A method of the class that is not public says so; a name that it does not have is undefined, as on any object.
const hidden = failed(await (flaky as unknown as { health(): Promise<unknown> }).health().catch(failed));
console.log('not public:', hidden instanceof MethodNotFoundError, hidden.method);
const symbol = failed(await flaky.echo({ db: { handle: Symbol('open') } }).catch(failed));
console.log('not cloneable:', symbol instanceof NotCloneableError, symbol.path);
