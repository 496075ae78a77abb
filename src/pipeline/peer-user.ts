// Whose program is at the other end of a TCP connection within this machine: the kernel knows, and lists it in `/proc/net`.
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';

/** The state of a connection that is there, see proc_pid_net(5). */
const ESTABLISHED = '01';
const MAPPED = '0000000000000000FFFF0000';

/** Whether it can be known here at all. */
export const knowsPeers = (): boolean => table('/proc/net/tcp') !== undefined;

/** The uid of who has connected from `address:port` to `ownPort`; undefined when that is no program of this machine, or not to be known. */
export function uidOfPeer(peer: string, ownPort: number): number | undefined {
  const at = peer.lastIndexOf(':');
  const port = hex(Number(peer.slice(at + 1)));
  const addresses = inHex(peer.slice(0, at)).map((address) => `${address}:${port}`);
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of table(file) ?? []) {
      // Number, local, remote, state, queues, timer, retransmits, uid.
      const [, local = '', remote = '', state, , , , uid] = row.trim().split(/\s+/);
      if (state === ESTABLISHED && addresses.includes(local) && remote.endsWith(`:${hex(ownPort)}`)) return Number(uid);
    }
  }
  return undefined;
}

function table(file: string): string[] | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(1);
  } catch {
    return undefined;
  }
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** As the tables write it: words of four bytes in the order of this machine. An IPv4 address may stand there as one of IPv6. */
function inHex(address: string): string[] {
  const v4 = isIPv4(address) ? address : /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (v4 !== undefined) {
    const word = asWords(v4.split('.').map(Number));
    return [word, `${endianness() === 'LE' ? MAPPED : '00000000000000000000FFFF'}${word}`];
  }
  if (!isIPv6(address)) return [];
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':').filter(Boolean).map((group) => Number.parseInt(group, 16)));
  const groups = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return [asWords(groups.flatMap((group) => [group >> 8, group & 0xff]))];
}

function asWords(bytes: readonly number[]): string {
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(4 * i, 4 * i + 4));
  return words.flatMap((word) => (endianness() === 'LE' ? word.toReversed() : word)).map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join('');
}
