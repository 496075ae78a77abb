// The work as a Mimas process. Decorators are applied by hand, as a compiler would: this is what runs from a built package.
import { Process, Public, transfer } from '../../dist/index.js';
import { add, echo } from '../lib/work.mjs';

export default class Work {
  add(a, b) {
    return add(a, b);
  }
  echo(value) {
    return echo(value);
  }
  echoTransfer(bytes) {
    return transfer(bytes);
  }
  async *count(n) {
    for (let i = 1; i <= n; i++) yield i;
  }
}
for (const name of ['add', 'echo', 'echoTransfer', 'count']) Public()(Work.prototype, name, Object.getOwnPropertyDescriptor(Work.prototype, name));
Process({ name: 'work' })(Work);
