/** What this machine is: read once at the start, without starting a program. Says nothing of GPUs. */
import { readFile } from 'node:fs/promises';
import { availableParallelism, hostname, release, totalmem, type } from 'node:os';
import type { HostFacts } from '../machines/views.ts';
import { bootId } from './boot-id.ts';

/** At once, without the distribution's name. */
export const hostFacts = (): HostFacts => ({
  hostname: hostname(),
  cpu_cores: availableParallelism(),
  ram_total_bytes: totalmem(),
  os: type(),
  kernel: release(),
  boot_id: bootId(),
});

/** `Debian GNU/Linux 12`, by os-release(5); null where it cannot be told. */
export const distribution = async (): Promise<string | null> => {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return nameIn(text);
  }
  return null;
};

const nameIn = (text: string): string | null => {
  const field = (name: string): string => new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(text)?.[1]?.trim() ?? '';
  const found = `${field('NAME')} ${field('VERSION_ID')}`.trim();
  return found === '' ? null : found;
};
