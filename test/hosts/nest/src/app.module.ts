// What a Nest application does with a process: it provides the proxy as it would a client of any service.
import { join } from 'node:path';
import { Controller, Get, Global, Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { createProcessManager, type ProcessManager, type Remote, type RemotePool } from 'mimas';
import type Calculator from './calculator.process';

export const CALCULATOR = Symbol('calculator');
export const POOL = 'calculators';

@Injectable()
export class Processes implements OnModuleDestroy {
  readonly manager: ProcessManager = createProcessManager();

  onModuleDestroy(): Promise<void> {
    return this.manager.shutdown();
  }
}

@Global()
@Module({
  providers: [
    Processes,
    { provide: CALCULATOR, inject: [Processes], useFactory: ({ manager }: Processes) => manager.spawn<Calculator>(join(__dirname, 'calculator.process.js')) },
    { provide: POOL, inject: [Processes], useFactory: ({ manager }: Processes) => manager.pool<Calculator>(join(__dirname, 'calculator.process.js'), { size: 2 }) },
    { provide: 'alias', useExisting: CALCULATOR },
  ],
  exports: [CALCULATOR, POOL, 'alias'],
})
export class ProcessesModule {}

@Controller()
export class SumController {
  constructor(
    @Inject(CALCULATOR) private readonly calculator: Remote<Calculator>,
    @Inject(POOL) private readonly calculators: RemotePool<Calculator>,
  ) {}

  @Get('one')
  async one(): Promise<{ sum: number }> {
    return { sum: await this.calculator.add(2, 3) };
  }

  @Get('pool')
  async pool(): Promise<{ sum: number }> {
    return { sum: await this.calculators.add(4, 5) };
  }
}

@Module({ imports: [ProcessesModule], controllers: [SumController] })
export class AppModule {}
