// A process that calls another one: it is given its proxy.
import { Process, Public, currentCall, type Remote } from 'mimas';
import type Logbook from './logbook.process.js';

@Process({ name: 'shop' })
export default class Shop {
  #log: Remote<Logbook> | undefined;
  #orders = 0;

  @Public()
  useLog(log: Remote<Logbook>): void {
    this.#log = log;
  }

  @Public()
  async order(item: string): Promise<number> {
    const customer = currentCall().headers['customer'] ?? 'somebody';
    await this.#log?.write('shop', `${customer} orders ${item}`);
    return ++this.#orders;
  }
}
