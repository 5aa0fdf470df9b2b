/** Sends datagrams to a UNIX socket, which Node cannot: by the C library. Never waits; what does not go out now is answered so. */
import type ffi from 'node:ffi';

export interface DatagramSender {
  send(text: string): Sent;
  close(): void;
}

/** `full`: nobody has read for a while, or nobody is there just now; later it may go. */
export type Sent = { readonly kind: 'sent' } | { readonly kind: 'full' } | { readonly kind: 'failed'; readonly errno: number };

/** `path`: absolute, or an abstract name written with `@` first. Null: this Node has no `node:ffi`, or there is no such socket family. */
export const openDatagramSender = (path: string): DatagramSender | null => {
  const calls = loadCalls();
  if (calls === null) return null;
  const address = socketAddress(path);
  const fd = calls.socket(unixFamily, datagramCloseOnExec, 0);
  if (fd < 0) return null;
  return {
    send: (text) => {
      const bytes = Buffer.from(text);
      const sent = calls.sendto(fd, bytes, BigInt(bytes.length), withoutWaitingOrSignal, address, address.length);
      return sent >= 0n ? { kind: 'sent' } : refused(calls.errno());
    },
    close: () => {
      calls.close(fd);
    },
  };
};

const unixFamily = 1;
const datagramCloseOnExec = 0o2000002;
const withoutWaitingOrSignal = 0x40 | 0x4000;
/** ENOENT, EAGAIN, ECONNREFUSED, ENOBUFS. */
const passing: readonly number[] = [2, 11, 111, 105];
const longestPath = 107;

const refused = (errno: number): Sent => (passing.includes(errno) ? { kind: 'full' } : { kind: 'failed', errno });

/** `struct sockaddr_un`; the length of an abstract name counts. */
const socketAddress = (path: string): Buffer => {
  const name = Buffer.from(path);
  if (name.length > longestPath) throw new Error(`expected a socket name of at most ${longestPath} bytes, found ${name.length}: ${path}`);
  const abstract = path.startsWith('@');
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(unixFamily);
  name.copy(address, 2);
  if (abstract) address[2] = 0;
  return address;
};

const loadCalls = () => {
  const library: typeof ffi | undefined = process.getBuiltinModule('node:ffi');
  if (library === undefined) return null;
  const { functions } = library.dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    sendto: { arguments: ['i32', 'buffer', 'u64', 'i32', 'buffer', 'u32'], return: 'i64' },
    close: { arguments: ['i32'], return: 'i32' },
    __errno_location: { arguments: [], return: 'pointer' },
  });
  return {
    socket: functions.socket,
    sendto: functions.sendto,
    close: functions.close,
    /** Nothing of ours runs on this thread between the call and the look. */
    errno: () => library.getInt32(functions.__errno_location()),
  };
};
