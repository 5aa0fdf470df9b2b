/** Endpoints of engines that are not the daemon's, all in one process of their own, and the handoff files that name them. */
import type { ChildProcess } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Daemon } from './daemon.ts';
import type { House } from './house.ts';
import { firstLine, start } from './processes.ts';

const program = resolve(import.meta.dirname, '../programs/many-engines.ts');

/** Resolves when all of them are pools that are ready. */
export const attachMany = async (house: House, daemon: Daemon, count: number): Promise<void> => {
  await attach(house, daemon, count);
};

/** They are ready, and from then on take connections and never answer. */
export const startHangingEngines = async (house: House, daemon: Daemon, count: number): Promise<void> => {
  (await attach(house, daemon, count)).kill('SIGUSR2');
};

const attach = async (house: House, daemon: Daemon, count: number): Promise<ChildProcess> => {
  const child = start(house, process.execPath, [program, String(count)]);
  const ports = await firstLine(child, 'the endpoints', (line) => line.split(',').map(Number));
  for (const [index, port] of ports.entries()) {
    const id = `attached-${index}`;
    const file = join(daemon.runtimeDir, `${id}-r0.json`);
    writeFileSync(`${file}.tmp`, JSON.stringify({ pool_id: id, engine: 'llamacpp', endpoint: `http://127.0.0.1:${port}`, slots: 2 }));
    renameSync(`${file}.tmp`, file);
  }
  await daemon.untilPools('all to be ready', (pools) => pools.filter(({ ready }) => ready).length === count);
  return child;
};
