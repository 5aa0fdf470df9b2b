/**
 * Which pool has which port. In this process only: a restarted daemon adopts the ports of the records it finds.
 *
 * A port is leased when no other pool has it or had it in the last 20 s, and when it can be bound right now. A pool gets the
 * one it had before, if it is free. Engines of several processes get side ports right behind it, by the same rules. Who takes a
 * port between lease and bind is found by the listener's owner.
 */
import { createServer } from 'node:net';
import { pid as ownPid } from 'node:process';
import { CauseError } from '../../cause.ts';
import { otherBerthOf, publicIdOf } from '../../machines/policies/berths.ts';
import { whoListens } from '../../os/who-listens.ts';

export interface Band {
  readonly poolId: string;
  /** What clients ask. */
  readonly port: number;
  /** How many ports behind it are for the engine's own processes. */
  readonly sides: number;
}

export interface LeaseRequest extends Omit<Band, 'port'> {
  readonly host: string;
  /** Fixed ports of the spec; null: from the range. */
  readonly ports: readonly number[] | null;
}

export interface Ports {
  /** Throws CauseError `port_conflict` when none is left. */
  lease(request: LeaseRequest): Promise<number>;
  /** An engine found running has these. */
  adopt(band: Band): void;
  /** Other pools leave them alone for a while. Releasing what is not leased does nothing. */
  release(band: Band): void;
  /** A stranger is on the first: everybody leaves them alone for a while. */
  avoid(band: Band): void;
}

export interface PortsOptions {
  readonly range: { readonly first: number; readonly last: number };
  readonly quarantineMs?: number;
  readonly mono?: () => number;
}

const defaultQuarantineMs = 20_000;

interface Quarantine {
  readonly until: number;
  /** The pool it does not hold for; null: it holds for all. */
  readonly except: string | null;
}

export const portLeases = ({ range, quarantineMs = defaultQuarantineMs, mono = () => performance.now() }: PortsOptions): Ports => {
  const leased = new Map<number, string>();
  const quarantined = new Map<number, Quarantine>();
  const before = new Map<string, number>();

  const isFreeFor = (port: number, poolId: string): boolean => {
    if (leased.has(port)) return false;
    const quarantine = quarantined.get(port);
    return quarantine === undefined || quarantine.until <= mono() || quarantine.except === poolId;
  };
  const setFree = (band: Band, except: string | null): void => {
    for (const port of portsOf(band)) {
      if (leased.get(port) !== band.poolId) continue;
      leased.delete(port);
      quarantined.set(port, { until: mono() + quarantineMs, except });
    }
  };
  /** Taken first, asked afterwards: two pools that lease at the same time never ask for the same port. */
  const tryToTake = async (band: Band, host: string): Promise<Binding> => {
    const taken = portsOf(band);
    for (const port of taken) leased.set(port, band.poolId);
    const giveBack = (): void => {
      for (const port of taken) leased.delete(port);
    };
    try {
      for (const port of taken) {
        const verdict = await tryToBind(port, port === band.port ? host : everywhere);
        if (verdict === 'free') continue;
        giveBack();
        return verdict;
      }
    } catch (thrown) {
      giveBack();
      throw thrown;
    }
    for (const port of taken) quarantined.delete(port);
    return 'free';
  };

  /** By the other engine of the same pool, which makes way for it where nothing else helps. */
  const isHeldBeside = (choice: readonly number[], poolId: string, sides: number): boolean =>
    choice.some((port) => portsOf({ poolId, port, sides }).some((one) => leased.get(one) === otherBerthOf(poolId)));
  /** In words. */
  const holderOf = async (port: number): Promise<string> => {
    const holder = leased.get(port);
    if (holder !== undefined) return `the engine of pool ${publicIdOf(holder)}`;
    const process = await whoListens(port);
    if (process !== null) return process.pid === ownPid ? 'this daemon itself' : `pid ${process.pid} (${process.comm})`;
    const leftMs = (quarantined.get(port)?.until ?? 0) - mono();
    return leftMs > 0 ? `nobody, but an engine had it a moment ago: free in ${Math.ceil(leftMs / 1000)} s` : 'another process';
  };

  return {
    lease: async ({ poolId, host, ports, sides }) => {
      const choice = ports ?? portsFrom(range.first, range.last);
      const had = before.get(poolId);
      const order = had !== undefined && choice.includes(had) ? [had, ...choice.filter((port) => port !== had)] : choice;
      for (const port of order) {
        const band = { poolId, port, sides };
        if (sides > 0 && port + sides > range.last) continue;
        if (!portsOf(band).every((one) => isFreeFor(one, poolId))) continue;
        const verdict = await tryToTake(band, host);
        if (verdict === 'noSuchAddress') throw wrongHost(host);
        if (verdict === 'taken') continue;
        before.set(poolId, port);
        return port;
      }
      const heldBeside = isHeldBeside(choice, poolId, sides);
      // It may be one behind it that is not free.
      const culprit = (port: number): number => portsOf({ poolId, port, sides }).find((one) => !isFreeFor(one, poolId)) ?? port;
      throw ports === null
        ? noneInRange(choice, sides, heldBeside)
        : await noneOf(ports, heldBeside, async (port) => toldOf(port, culprit(port), await holderOf(culprit(port))));
    },
    adopt: (band) => {
      for (const port of portsOf(band)) leased.set(port, band.poolId);
      before.set(band.poolId, band.port);
    },
    release: (band) => setFree(band, band.poolId),
    avoid: (band) => {
      for (const port of portsOf(band)) leased.set(port, leased.get(port) ?? band.poolId);
      setFree(band, null);
      before.delete(band.poolId);
    },
  };
};

const portsFrom = (first: number, last: number): readonly number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

const portsOf = ({ port, sides }: Band): readonly number[] => portsFrom(port, port + sides);

/** Where an engine's own processes listen is their choice. */
const everywhere = '0.0.0.0';

type Binding = 'free' | 'taken' | 'noSuchAddress';

/** Binds and lets go. Never waits for anybody: both are answered by the kernel at once. */
const tryToBind = (port: number, host: string): Promise<Binding> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      const verdict = bindingOf('code' in error ? String(error.code) : '');
      if (verdict === null) reject(new CauseError({ code: 'port_conflict', message: `cannot try port ${port} on ${host}: ${error.message}` }));
      else resolve(verdict);
    });
    server.listen({ port, host: host.replace(/^\[|\]$/g, ''), exclusive: true }, () => server.close(() => resolve('free')));
  });

/** Null: a failure that says nothing of the port. */
const bindingOf = (errno: string): Binding | null => {
  switch (errno) {
    case 'EADDRINUSE':
    case 'EACCES':
      return 'taken';
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
    case 'ENOTFOUND':
      return 'noSuchAddress';
    default:
      return null;
  }
};

const wrongHost = (host: string): CauseError =>
  new CauseError({ code: 'invalid_spec', message: `expected \`host\` to be an address of this machine, found ${host}`, details: { host } });

/** Of many only the first are told. */
const mostHolders = 4;

const toldOf = (port: number, culprit: number, holder: string): string => `${port}: ${culprit === port ? '' : `${culprit} behind it, `}${holder}`;

const noneOf = async (ports: readonly number[], heldBeside: boolean, tell: (port: number) => Promise<string>): Promise<CauseError> => {
  const held = [];
  for (const port of ports.slice(0, mostHolders)) held.push(await tell(port));
  const found = `${held.join(', ')}${held.length < ports.length ? ', …' : ''}`;
  return new CauseError({
    code: 'port_conflict',
    message: `expected one of the pool's ports ${ports.join(', ')} to be free, found all taken (${found}); free one, or leave out \`ports\` for one of POOL_MANAGERD_PORT_RANGE`,
    details: { ports, held_beside: heldBeside },
  });
};

const noneInRange = (range: readonly number[], sides: number, heldBeside: boolean): CauseError => {
  const [first, last] = [range[0], range.at(-1)];
  return new CauseError({
    code: 'port_conflict',
    message: `expected ${sides === 0 ? 'a free port' : `${sides + 1} free ports in a row`} in ${first}-${last}, found none; widen POOL_MANAGERD_PORT_RANGE or give the pool \`ports\` of its own`,
    details: { ports: [first, last], held_beside: heldBeside },
  });
};
