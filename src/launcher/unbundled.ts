// The first that `mimas/launcher` evaluates: it cannot work in a bundle.
import { refuseBundle } from '../runtime/unbundled.js';

refuseBundle(import.meta.url, 'launcher/unbundled');
