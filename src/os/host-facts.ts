/** What this machine is: read once at the start. Says nothing of GPUs; systeminformation's own GPU call blocks the loop. */
import { availableParallelism, hostname, release, totalmem, type } from 'node:os';
import { osInfo } from 'systeminformation';
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

/** `Debian GNU/Linux 12`; null where it cannot be told. */
export const distribution = async (): Promise<string | null> => {
  const { distro, release: version } = await osInfo();
  return distro === '' ? null : `${distro} ${version}`.trim();
};
