import { readdir, readFile, readlink } from 'node:fs/promises';

/** A socket of a process or of its descendants that other hosts could reach. */
export interface OpenSocket {
  readonly pid: number;
  readonly program: string;
  readonly protocol: string;
  /** As /proc/net writes it: hexadecimal address and port. */
  readonly address: string;
}

const loopback = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F):/;

/**
 * The TCP sockets that listen, and UDP sockets that are bound, on another address than loopback. A UDP socket of QEMU
 * is left out: its user networking opens one for each datagram flow out of the guest, as any UDP client does.
 */
export async function findExposedSockets(rootPid: number): Promise<OpenSocket[]> {
  const owners = await socketOwners(await descendants(rootPid));
  const exposed: OpenSocket[] = [];
  for (const protocol of ['tcp', 'tcp6', 'udp', 'udp6']) {
    const table = await readFile(`/proc/net/${protocol}`, 'utf8').catch(() => '');
    for (const row of table.split('\n').slice(1)) {
      const [, address = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
      const owner = owners.get(inode);
      const isTcp = protocol.startsWith('tcp');
      if (!owner || loopback.test(address) || (isTcp && state !== '0A')) continue;
      if (!isTcp && owner.program.startsWith('qemu')) continue;
      exposed.push({ ...owner, protocol, address });
    }
  }
  return exposed;
}

/** A process and all that it has started. */
export async function descendants(rootPid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = / [A-Z] (\d+) /.exec(stat.slice(stat.lastIndexOf(')')))?.[1];
    if (parent) parents.set(Number(name), Number(parent));
  }
  const found = [rootPid];
  for (let index = 0; index < found.length; index++) {
    for (const [pid, parent] of parents) if (parent === found[index]) found.push(pid);
  }
  return found;
}

async function socketOwners(pids: readonly number[]): Promise<Map<string, { pid: number; program: string }>> {
  const owners = new Map<string, { pid: number; program: string }>();
  for (const pid of pids) {
    const program = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode) owners.set(inode, { pid, program });
    }
  }
  return owners;
}
