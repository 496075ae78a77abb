// A Fastify application that is decorated with the proxy of a process, as one does with a database client.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Fastify from 'fastify';
import { createProcessManager } from 'mimas';

const pm = createProcessManager();
const app = Fastify();
let calc;

before(async () => {
  calc = await pm.spawn(new URL('./shared/calculator.process.ts', import.meta.url));
  app.decorate('calc', calc);
  app.decorateRequest('calc', { getter: () => calc });
  app.get('/decorated', async () => ({ sum: await app.calc.add(2, 3) }));
  app.get('/request', async (request) => ({ sum: await request.calc.add(4, 5) }));
  app.get('/withheld', () => app.calc.withheld());
  app.get('/sent', () => app.calc);
  app.register(async (scope, { calc: given }) => scope.get('/plugin', async () => ({ sum: await given.add(6, 7) })), { calc });
  await app.ready();
});
after(async () => {
  await app.close();
  await pm.shutdown();
});

test('decorate() takes a proxy as a value, not as a getter', () => {
  assert.equal(app.calc, calc);
  assert.ok(app.hasDecorator('calc'));
});

for (const [path, sum] of [['/decorated', 5], ['/request', 9], ['/plugin', 13]]) {
  test(`a handler calls it: ${path}`, async () => {
    const answer = await app.inject(path);
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), { sum });
  });
}

test('a method that is not public answers METHOD_NOT_FOUND through the error handler', async () => {
  const answer = await app.inject('/withheld');
  assert.equal(answer.statusCode, 500);
  assert.equal(answer.json().code, 'METHOD_NOT_FOUND');
  assert.match(answer.json().message, /@Public\(\)/);
});

test('a handler that answers with the proxy itself sends an empty object', async () => {
  assert.equal((await app.inject('/sent')).body, '{}');
});
