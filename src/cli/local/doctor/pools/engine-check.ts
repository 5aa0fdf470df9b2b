/** The engine of a pool: on the machine, in the store, or still to be made, and then whether there is what it is made with. */
import type { PoolSpec } from '../../../../machines/vocabulary.ts';
import { imageReference } from '../../../../provisioning/container/image.ts';
import { findExecutable } from '../../../../provisioning/engines/on-machine.ts';
import { shownUrl } from '../../../../provisioning/fetch/failures.ts';
import { namedPackage, namedSource } from '../../../../provisioning/known.ts';
import { lookForEngine } from '../../../../provisioning/look-for-engine.ts';
import { findToolchain } from '../../../../provisioning/source/toolchain.ts';
import { onPath } from '../../../../provisioning/tool/environment.ts';
import { type Check, fail, ok, unknown } from '../check.ts';
import type { PoolsAround } from './around.ts';

const name = 'engine';

/** Throws CauseError where a start would. */
export const engineCheck = async (spec: PoolSpec, around: PoolsAround): Promise<Check> => {
  const { mode } = spec.provisioning;
  if (spec.provisioning.mode === 'external') return ok(name, await findExecutable(spec.provisioning.executable, spec.engine, around));
  if (mode === 'source' && around.inventory === null)
    return unknown(
      name,
      `${whatIs(spec)}: a build is for the GPUs of the machine, which cannot be listed, so that it is not known whether one is here`,
    );
  const found = await lookForEngine(spec, around);
  const lack = await lacking(mode, found?.record != null, around);
  if (lack !== null) return lack;
  if (found?.record == null) return ok(name, `${whatIs(spec)} is not here yet: ${made[mode]} at the first start, or now by pool-managerd pull`);
  // The image lies with its runtime, which is not asked: that may be on another machine.
  return ok(name, mode === 'container' ? `${found.record.from}, pulled and tested at ${found.record.at}` : found.dir);
};

const made = { binary: 'fetched', package: 'installed', source: 'built', container: 'pulled', external: 'found' } as const;

const whatIs = ({ engine, provisioning }: PoolSpec): string => {
  switch (provisioning.mode) {
    case 'binary':
      return shownUrl(provisioning.binary.url);
    case 'package': {
      const { name: called, version } = namedPackage(engine, provisioning);
      return `${called} ${version}`;
    }
    case 'source': {
      const { repo, ref } = namedSource(engine, provisioning);
      return `${repo.replace(/\/\/[^/@]*@/, '//')} ${ref}`;
    }
    case 'container':
      return imageReference(provisioning.container);
    case 'external':
      return engine;
  }
};

/** What on this machine it is made or run with. Null: it is there. Throws CauseError for what builds. */
const lacking = async (
  mode: PoolSpec['provisioning']['mode'],
  isMade: boolean,
  { path, simulated, launcher }: PoolsAround,
): Promise<Check | null> => {
  const hasNone = async (...tools: readonly string[]): Promise<boolean> =>
    (await Promise.all(tools.map((tool) => onPath(tool, path)))).every((file) => file === null);
  if (mode === 'container' && launcher === 'systemd')
    return fail(name, 'a container, which can be no unit of systemd', 'set POOL_MANAGERD_LAUNCHER=detached, or use another provisioning.mode');
  if (mode === 'container' && (await hasNone('podman', 'docker')))
    return fail(name, `expected podman or docker on the PATH (${path}), found neither`, 'install podman, or use another provisioning.mode');
  if (mode === 'package' && !isMade && (await hasNone('uv', 'python3')))
    return fail(name, `expected uv or python3 on the PATH (${path}) to install it with, found neither`, 'install one of them');
  if (mode === 'source' && !isMade) await findToolchain(path, simulated);
  return null;
};
