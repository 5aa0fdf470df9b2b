/** sched_setaffinity(2): which CPUs a process, and whatever it starts or becomes, may run on. */
import type ffi from 'node:ffi';

/** Of a process with one thread; 0: of this thread. False: the kernel refused, as where none of these CPUs may be used. */
export const pinTo = (pid: number, cpus: readonly number[]): boolean => {
  const library: typeof ffi | undefined = process.getBuiltinModule('node:ffi');
  if (library === undefined || cpus.length === 0) return false;
  const { functions } = library.dlopen(null, { sched_setaffinity: { arguments: ['i32', 'u64', 'buffer'], return: 'i32' } });
  const mask = maskOf(cpus);
  return functions.sched_setaffinity(pid, BigInt(mask.length), mask) === 0;
};

/** A bit for each CPU, in words of 64. */
const maskOf = (cpus: readonly number[]): Buffer => {
  const mask = Buffer.alloc(Math.ceil((Math.max(...cpus) + 1) / 64) * 8);
  for (const cpu of cpus) mask.writeUInt8(mask.readUInt8(cpu >> 3) | (1 << (cpu & 7)), cpu >> 3);
  return mask;
};
