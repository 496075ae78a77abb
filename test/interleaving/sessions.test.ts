// Any mixture of operations over one link, both ends of which are looked at.
import { pair } from './pairs.js';
import { interleave } from './property.js';

interleave([pair('memory', 300), pair('port', 300), pair('pipe', 300), pair('ws', 150), pair('memory', 150, 3), pair('unix', 150, 3)]);
