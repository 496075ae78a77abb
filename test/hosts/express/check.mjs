// An Express application with the proxy of a process in its locals, and loggers that are handed one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import express from 'express';
import { createProcessManager } from 'mimas';
import pino from 'pino';
import winston from 'winston';

const pm = createProcessManager();
let calc;
let server;
const get = (path) => fetch(`http://127.0.0.1:${server.address().port}${path}`);

before(async () => {
  calc = await pm.spawn(new URL('./shared/calculator.process.ts', import.meta.url), { isolation: 'child' });
  const app = express();
  app.locals.calc = calc;
  app.set('calculator', calc);
  app.use((request, response, next) => {
    response.locals.calc = calc;
    next();
  });
  app.get('/app', async (request, response) => response.json({ sum: await request.app.locals.calc.add(2, 3) }));
  app.get('/response', async (request, response) => response.json({ sum: await response.locals.calc.add(4, 5) }));
  app.get('/setting', async (request, response) => response.json({ sum: await app.get('calculator').add(6, 7) }));
  app.get('/withheld', (request, response) => response.locals.calc.withheld());
  app.get('/sent', (request, response) => response.json(calc));
  app.engine('sum', (file, { calc: given }, done) => given.add(8, 9).then((sum) => done(null, String(sum)), done));
  app.set('views', import.meta.dirname);
  app.get('/view', (request, response) => response.render('view.sum'));
  app.use((error, request, response, _next) => response.status(500).json({ code: error.code, message: error.message }));
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(async () => {
  server.close();
  await pm.shutdown();
});

for (const [path, sum] of [['/app', 5], ['/response', 9], ['/setting', 13]]) {
  test(`a handler calls it: ${path}`, async () => assert.deepEqual(await (await get(path)).json(), { sum }));
}

test('a view engine gets it with the locals', async () => assert.equal(await (await get('/view')).text(), '17'));

test('a method that is not public answers METHOD_NOT_FOUND through the error handler', async () => {
  const { code, message } = await (await get('/withheld')).json();
  assert.equal(code, 'METHOD_NOT_FOUND');
  assert.match(message, /@Public\(\)/);
});

test('a handler that answers with the proxy itself sends an empty object', async () => assert.equal(await (await get('/sent')).text(), '{}'));

test('loggers write down a proxy', () => {
  const lines = [];
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      done();
    },
  });
  pino({}, sink).info({ calc }, 'pino');
  winston.createLogger({ transports: [new winston.transports.Stream({ stream: sink })] }).info('winston', { calc });
  assert.equal(lines.length, 2);
  for (const line of lines) assert.deepEqual(JSON.parse(line).calc, {});
});
