import { Process, Public } from 'mimas';

export default class Plain {
  upper(text) {
    return text.toUpperCase();
  }
}
Public()(Plain.prototype, 'upper', Object.getOwnPropertyDescriptor(Plain.prototype, 'upper'));
Process({ name: 'plain' })(Plain);
