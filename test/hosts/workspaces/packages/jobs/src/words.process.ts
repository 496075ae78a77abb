import { Process, Public } from 'mimas';
import { words } from './words.js';
import legacy from './legacy.cjs';

@Process({ name: 'words' })
export default class Words {
  @Public() count(text: string): number {
    return words(text).length;
  }

  @Public() legacy(): string {
    return legacy.name;
  }
}
