/**
 * What the daemon's own unit does to engines that are processes of it: the detached launcher is for machines without rights to
 * units, and there `KillMode=` decides whether engines outlive their daemon.
 */
import { type Systemctl, systemctl } from './systemctl.ts';
import { ownService } from './unit-cgroup.ts';

export interface UnitRisk {
  readonly level: 'warn' | 'error';
  readonly message: string;
}

/** Null: the daemon is no service, or systemd does not say. */
export const ownUnitRisk = async (ask: Pick<Systemctl, 'killMode'> = systemctl(), unit = ownService()): Promise<UnitRisk | null> => {
  const killMode = unit === null ? null : await ask.killMode(unit);
  if (unit === null || killMode === null) return null;
  if (killMode === 'process')
    return {
      level: 'warn',
      message: `engines are processes of ${unit}: with KillMode=process they outlive the daemon, but systemd neither limits nor stops them apart from it; POOL_MANAGERD_LAUNCHER=systemd makes them units of their own (docs/systemd.md)`,
    };
  return {
    level: 'error',
    message: `engines are processes of ${unit}, and its KillMode=${killMode} ends them whenever the daemon ends: set POOL_MANAGERD_LAUNCHER=systemd, or KillMode=process where this user has no rights to units (docs/systemd.md)`,
  };
};
