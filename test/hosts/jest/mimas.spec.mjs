import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { proxy } from './shared/proxy.mjs';
import { spawning } from './shared/spawning.mjs';

const runner = { afterAll, beforeAll, describe, expect, it };
spawning(runner);
proxy(runner);
