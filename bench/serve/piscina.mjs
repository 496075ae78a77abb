// Thread side of piscina, with its own marker for moved buffers.
import { move } from 'piscina';

export { add, echo } from './pool.mjs';
export const echoTransfer = (bytes) => move(bytes);
