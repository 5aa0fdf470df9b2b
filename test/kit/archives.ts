/** Archives as nobody should make them: tar headers and zip directories written by hand, so that any name and kind can be in them. */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

export interface TarEntry {
  readonly name: string;
  /** `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` FIFO. */
  readonly type?: string;
  readonly content?: Buffer;
  readonly target?: string;
  readonly mode?: number;
}

export const tarOf = (entries: readonly TarEntry[]): Buffer => Buffer.concat([...entries.flatMap(tarEntry), Buffer.alloc(1024)]);

export const tarGz = (entries: readonly TarEntry[]): Buffer => gzipSync(tarOf(entries));

/** Entries of a plain tar as our own writer makes them, to be changed and put together again. */
export const entriesOf = (tar: Buffer): TarEntry[] => {
  const entries: TarEntry[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    entries.push({ name, content: tar.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
};

const tarEntry = ({ name, type = '0', content = Buffer.alloc(0), target = '', mode = 0o755 }: TarEntry): Buffer[] => {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): void => void header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at);
  header.write(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
};

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  /** Type and permissions of Unix. */
  readonly mode?: number;
  /** What the directory says of its size, whatever it is. */
  readonly claimedBytes?: number;
}

export const zipOf = (entries: readonly ZipEntry[]): Buffer => {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, mode = 0o100755, claimedBytes = content.length } of entries) {
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claimedBytes, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    bodies.push(Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]));
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, rest, Buffer.from(name)]));
    at += bodies.at(-1)?.length ?? 0;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...bodies, ...directory, Buffer.from('PK\x05\x06'), end]);
};
