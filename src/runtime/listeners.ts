// Who listens on a port of this machine, as the kernel lists it in `/proc/net`. Where there is no `/proc`, a port is tried by binding,
// and nobody is known by pid. Invariant: nothing is bound where the kernel can be asked: a probe would be in the way of others.
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { endianness } from 'node:os';
import { livingMembers } from './group-members.js';
import { processFacts, processIds } from './process-facts.js';

export type Protocol = 'tcp' | 'udp';

export interface HostPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** Which address of this machine; undefined: either loopback. */
  readonly host?: string | undefined;
}

interface Row { readonly address: string; readonly inode: string }

/** Of a TCP socket that listens, and of a UDP socket that is bound, see proc_pid_net(5). */
const OPEN: Record<Protocol, string> = { tcp: '0A', udp: '07' };
const LOOPBACKS = ['127.0.0.1', '::1'];
const WILDCARDS = ['0.0.0.0', '::'];

/** Says that somebody listens on one of `ports` already, and who: `port 8080 is in use by another program (pid 7)`. */
export async function takenPort(ports: readonly HostPort[]): Promise<string | undefined> {
  for (const one of ports) {
    const rows = listening(one);
    if (rows === undefined ? await canBind(one) : rows.length === 0) continue;
    const pid = rows && ownerOf(rows.map(({ inode }) => inode));
    return `port ${one.port} is in use by another program${pid === undefined ? '' : ` (pid ${pid})`}`;
  }
  return undefined;
}

/**
 * Says that a program listens on a TCP port at loopback though it is neither of the process group nor younger than its leader: it
 * cannot be of what the leader has started. Undefined also where that cannot be known.
 */
export function strangerAt(port: number, group: number): string | undefined {
  const inodes = (listening({ port, protocol: 'tcp' }) ?? []).map(({ inode }) => inode);
  const leader = inodes.length > 0 ? processFacts(group) : undefined;
  if (!leader || ownerOf(inodes, livingMembers(group)) !== undefined) return undefined;
  const owner = processFacts(ownerOf(inodes) ?? 0);
  return owner && owner.group !== group && Number(owner.startTicks) < Number(leader.startTicks) ? `port ${port} is answered by another program (pid ${owner.pid})` : undefined;
}

/** Undefined where the kernel does not tell. */
function listening({ port, protocol, host }: HostPort): Row[] | undefined {
  const tables = [protocol, `${protocol}6`].map(table);
  if (tables[0] === undefined) return undefined;
  const wanted = host === undefined ? LOOPBACKS : [host];
  return tables.flatMap((lines = []) => lines.flatMap((line): Row[] => {
    // Number, local, remote, state, queues, timer, retransmits, uid, timeout, inode.
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [words = '', digits = ''] = local.split(':');
    if (state !== OPEN[protocol] || Number.parseInt(digits, 16) !== port) return [];
    const address = addressOf(words);
    return WILDCARDS.includes(address) || wanted.some((one) => one === address || WILDCARDS.includes(one)) ? [{ address, inode }] : [];
  }));
}

function table(name: string): string[] | undefined {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8').split('\n').slice(1);
  } catch {
    return undefined;
  }
}

/** Those that matter here come out as they are usually written; others as their bytes. */
function addressOf(words: string): string {
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => {
    const four = word.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
    return endianness() === 'LE' ? four.toReversed() : four;
  });
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join('.');
  const zeros = bytes.slice(0, 15).every((byte) => byte === 0);
  return zeros && bytes[15] === 0 ? '::' : zeros && bytes[15] === 1 ? '::1' : bytes.join('.');
}

/** Who has one of these sockets open; those of other users show nothing to us, unless we are root. */
function ownerOf(inodes: readonly string[], among = processIds()): number | undefined {
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return among?.find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => wanted.has(linkOf(`/proc/${pid}/fd/${fd}`)));
    } catch {
      return false;
    }
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

async function canBind({ port, protocol, host }: HostPort): Promise<boolean> {
  for (const address of host === undefined ? LOOPBACKS : [host]) if (!(await (protocol === 'tcp' ? bindTcp : bindUdp)(port, address))) return false;
  return true;
}

const isTaken = (error: NodeJS.ErrnoException): boolean => error.code === 'EADDRINUSE';

function bindTcp(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', (error) => resolve(!isTaken(error)));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function bindUdp(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').once('error', (error) => resolve(!isTaken(error)));
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
