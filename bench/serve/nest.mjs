// Server side of a NestJS TCP microservice; decorators are applied by hand, as a compiler would.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { listening } from '../lib/child.mjs';
import { freePort } from '../lib/free-port.mjs';
import { add, echo } from '../lib/work.mjs';

class Work {
  add({ a, b }) {
    return add(a, b);
  }
  echo(value) {
    return echo(value);
  }
}
for (const name of ['add', 'echo']) MessagePattern(name)(Work.prototype, name, Object.getOwnPropertyDescriptor(Work.prototype, name));
Controller()(Work);
class App {}
Module({ controllers: [Work] })(App);
const port = await freePort();
const app = await NestFactory.createMicroservice(App, { transport: Transport.TCP, options: { host: '127.0.0.1', port }, logger: false });
await app.listen();
listening(port);
