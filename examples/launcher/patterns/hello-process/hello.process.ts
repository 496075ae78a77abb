// The same as a Mimas process: a class, called like an object by the program that embeds the launcher.
import { HealthCheck, Process, Public } from 'mimas';

@Process({ name: 'hello-process', version: '1.0.0' })
export default class Hello {
  @Public()
  greet(who: string): string {
    return `hello ${who}, from ${process.env['PROCESS_ID']}`;
  }

  @HealthCheck()
  healthy(): boolean {
    return true;
  }
}
