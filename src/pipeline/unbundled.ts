// The first that `mimas/pipeline` evaluates: it cannot work in a bundle.
import { refuseBundle } from '../runtime/unbundled.js';

refuseBundle(import.meta.url, 'pipeline/unbundled');
