/**
 * The TCP sockets that listen on a port, from `/proc/net/tcp` and `tcp6`. Listeners come first in both files, so a machine
 * with many connections costs no more than one with few.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export interface Listener {
  readonly inode: string;
  readonly port: number;
  /** As the kernel prints it, `0100007F`; in tcp6 32 digits. */
  readonly address: string;
}

/** Milliseconds of the kernel's time even where nothing listens, so it is not to be asked at every turn. */
export const readListeners = (): readonly Listener[] => [...read('/proc/net/tcp'), ...read('/proc/net/tcp6')];

const listening = '0A';

const read = (path: string): readonly Listener[] => {
  const found: Listener[] = [];
  for (const line of linesOf(path)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === 'st' || local === undefined) continue;
    if (state !== listening || inode === undefined) break;
    const [address = '', port = ''] = local.split(':');
    found.push({ inode, address, port: Number.parseInt(port, 16) });
  }
  return found;
};

/** Read bit by bit, so that it can be left early. A machine without IPv6 has no tcp6. */
function* linesOf(path: string): Generator<string> {
  const fd = openOrNull(path);
  if (fd === null) return;
  try {
    const buffer = Buffer.alloc(16 * 1024);
    let rest = '';
    for (let bytes = readSync(fd, buffer); bytes > 0; bytes = readSync(fd, buffer)) {
      const lines = (rest + buffer.toString('latin1', 0, bytes)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    closeSync(fd);
  }
}

const openOrNull = (path: string): number | null => {
  try {
    return openSync(path, 'r');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null;
    throw thrown;
  }
};

/** Whether a connection to `host` may reach this listener. A host that is a name may reach any. */
export const reaches = ({ address }: Listener, host: string): boolean => {
  if (/^0+$/.test(address)) return true;
  const wanted = kernelAddress(host);
  if (wanted === null) return true;
  return address === wanted || address === mapped(wanted);
};

/** `127.0.0.1` → `0100007F`. Null: a name, all interfaces, or IPv6, where every listener of the port counts. */
const kernelAddress = (host: string): string | null => {
  const bytes = host.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255) || host === '0.0.0.0') return null;
  return Buffer.from(bytes.reverse()).toString('hex').toUpperCase();
};

const mapped = (ipv4: string): string => `0000000000000000FFFF0000${ipv4}`;
