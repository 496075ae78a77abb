// The application as `nest build` makes it: CommonJS, with legacy decorators and their metadata.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { Remote } from 'mimas';
import 'reflect-metadata';
import { AppModule, CALCULATOR, POOL, Processes } from './app.module';
import type Calculator from './calculator.process';

let app: INestApplication;
let url: string;

before(async () => {
  app = await NestFactory.create(AppModule, { logger: ['error', 'warn'], abortOnError: false });
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
});
after(() => app?.close());

for (const [path, sum] of [['one', 5], ['pool', 9]] as const) {
  test(`a controller calls the process that was injected: /${path}`, async () => assert.deepEqual(await (await fetch(`${url}/${path}`)).json(), { sum }));
}

test('the same proxy comes from get() and resolve(), under its token and its alias', async () => {
  const proxy = app.get(CALCULATOR);
  assert.equal(app.get('alias'), proxy);
  assert.equal(await app.resolve(CALCULATOR), proxy);
  assert.notEqual(app.get(POOL), proxy);
});

test('errors of the process keep their class', async () => {
  await assert.rejects(app.get<Remote<Calculator>>(CALCULATOR).fail(), RangeError);
});

test('a method that is not public answers METHOD_NOT_FOUND', async () => {
  await assert.rejects(app.get(CALCULATOR).withheld(), { code: 'METHOD_NOT_FOUND' });
});

test('a testing module takes a proxy as the stand-in of another provider', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).overrideProvider(POOL).useValue(app.get(CALCULATOR)).compile();
  await module.init();
  assert.equal(await module.get(POOL).add(1, 1), 2);
  await module.close();
});

test('closing the application shuts its processes down', async () => {
  const { manager } = app.get(Processes);
  assert.equal(manager.listProcesses().length > 0, true);
  await app.close();
  assert.deepEqual(manager.listProcesses().filter(({ status }) => status !== 'stopped'), []);
});
