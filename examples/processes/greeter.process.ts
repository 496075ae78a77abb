// Constructor injection: `dependencies` of the spawn are registered by name; classes resolve as tsyringe resolves them.
import { Process, Public } from 'mimas';
import { inject, injectable } from 'tsyringe';

export class Clock {
  hour(): number {
    return new Date().getHours();
  }
}

@injectable()
@Process({ name: 'greeter' })
export default class Greeter {
  constructor(
    @inject('greeting') private readonly greeting: string,
    private readonly clock: Clock,
  ) {}

  @Public()
  greet(name: string): string {
    const hour = this.clock.hour();
    return `${this.greeting}, ${name}! (${hour >= 0 && hour < 24 ? 'the clock works' : 'no clock'})`;
  }
}
