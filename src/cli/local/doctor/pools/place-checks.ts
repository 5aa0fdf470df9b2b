/** Where the engine of a pool would run and listen: its cards, its fixed ports, and the key that it asks its clients for. */
import { matchDevices } from '../../../../machines/policies/match-devices.ts';
import type { PoolSpec } from '../../../../machines/vocabulary.ts';
import { readKeyFile } from '../../../../os/key-file.ts';
import { bindingFails } from '../binding.ts';
import { type Check, fail, inWords, ok, warn } from '../check.ts';
import type { PoolsAround } from './around.ts';
import type { Claim } from './claims.ts';

/** Null: no card can be listed, which is said once for all pools. */
export const devicesCheck = ({ devices }: PoolSpec, { inventory, simulated }: PoolsAround): Check | null => {
  if (inventory === null) return null;
  const match = matchDevices(devices, inventory);
  if (!match.matched) return fail('GPUs', match.cause.code, match.cause.message);
  return ok('GPUs', `${match.gpus.map(({ index, uuid }) => `${index} ${uuid}`).join(', ')}${simulated ? ' (simulated)' : ''}`);
};

/** Null: a port comes from POOL_MANAGERD_PORT_RANGE, which is looked at once for all pools. */
export const portsCheck = async ({ id, host, ports }: PoolSpec, { claims }: PoolsAround): Promise<Check | null> => {
  if (ports === null) return null;
  const [claimed] = ports.map((port) => claims(port, id));
  if (ports.length === 1 && claimed != null) return clash(ports[0], claimed);
  const tried = await Promise.all(ports.map(async (port) => ({ port, problem: await bindingFails(host, port) })));
  const free = tried.flatMap(({ port, problem }) => (problem === null ? [port] : []));
  if (free.length > 0) return ok('ports', `${free.join(', ')} free on ${host}${free.length < ports.length ? `, of ${ports.join(', ')}` : ''}`);
  const all = `expected one of ${ports.join(', ')} to be free on ${host}, found`;
  if (tried.some(({ problem }) => problem?.includes('EADDRINUSE')))
    return warn(
      'ports',
      `${all} all in use`,
      `fine if it is this pool's engine (pool-managerd status ${id}); else end that process or set other \`ports\``,
    );
  return fail('ports', `${all} ${tried[0]?.problem}`, 'set `host` to an address of this machine, and `ports` to some that its user may open');
};

const clash = (port: number | undefined, { by, isPool }: Claim): Check => {
  const said = `expected a port of its own, found ${port}, which is that of ${by}`;
  return isPool
    ? fail('ports', `${said} as well: one of them cannot start while another runs`, 'give each another of `ports`, or leave it out')
    : fail('ports', said, 'set `ports` to others, or leave it out for one of POOL_MANAGERD_PORT_RANGE');
};

/** Null: the pool has none. As the daemon reads it, by its user, so links are not followed. */
export const keyCheck = async ({ api_key_file: file }: PoolSpec): Promise<Check | null> => {
  if (file === null) return null;
  const todo = 'write the key into that file, readable by the users of daemon and engine, or correct `api_key_file`';
  try {
    return (await readKeyFile(file)) === ''
      ? fail('api_key_file', `expected a key in the first line of ${file}, found nothing`, todo)
      : ok('api_key_file', `${file} is readable`);
  } catch (thrown) {
    return fail('api_key_file', `expected a key in ${file}, found: ${inWords(thrown)}`, todo);
  }
};
