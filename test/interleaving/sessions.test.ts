// Any mixture of operations over one link, both ends of which are looked at.
import { pair } from './pairs.js';
import { interleave } from './property.js';

interleave([pair('memory', 500), pair('port', 400), pair('pipe', 300), pair('ws', 200)]);
