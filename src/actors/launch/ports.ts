/**
 * Which pool has which port. In this process only: a restarted daemon adopts the ports of the records it finds.
 *
 * A port is leased when no other pool has it or had it in the last 20 s, and when it can be bound right now. A pool gets the
 * one it had before, if it is free. Who takes a port between lease and bind is found by the listener's owner.
 */
import { createServer } from 'node:net';
import { CauseError } from '../../cause.ts';

export interface LeaseRequest {
  readonly poolId: string;
  readonly host: string;
  /** Fixed ports of the spec; null: from the range. */
  readonly ports: readonly number[] | null;
}

export interface Ports {
  /** Throws CauseError `port_conflict` when none is left. */
  lease(request: LeaseRequest): Promise<number>;
  /** An engine found running has this port. */
  adopt(poolId: string, port: number): void;
  /** Other pools leave it alone for a while. Releasing what is not leased does nothing. */
  release(poolId: string, port: number): void;
  /** A stranger is on it: everybody leaves it alone for a while. */
  avoid(poolId: string, port: number): void;
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
  const setFree = (port: number, poolId: string, except: string | null): void => {
    if (leased.get(port) !== poolId) return;
    leased.delete(port);
    quarantined.set(port, { until: mono() + quarantineMs, except });
  };

  return {
    lease: async ({ poolId, host, ports }) => {
      const choice = ports ?? portsOf(range);
      const had = before.get(poolId);
      const order = had !== undefined && choice.includes(had) ? [had, ...choice.filter((port) => port !== had)] : choice;
      for (const port of order) {
        if (!isFreeFor(port, poolId)) continue;
        // Taken first, asked afterwards: two pools that lease at the same time never ask for the same port.
        leased.set(port, poolId);
        const verdict = await tryToBind(port, host).catch((thrown: unknown) => {
          leased.delete(port);
          throw thrown;
        });
        if (verdict === 'free') {
          quarantined.delete(port);
          before.set(poolId, port);
          return port;
        }
        leased.delete(port);
        if (verdict === 'noSuchAddress') throw wrongHost(host);
      }
      throw noneLeft(choice, ports !== null);
    },
    adopt: (poolId, port) => {
      leased.set(port, poolId);
      before.set(poolId, port);
    },
    release: (poolId, port) => setFree(port, poolId, poolId),
    avoid: (poolId, port) => {
      leased.set(port, leased.get(port) ?? poolId);
      setFree(port, poolId, null);
      before.delete(poolId);
    },
  };
};

const portsOf = ({ first, last }: PortsOptions['range']): readonly number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

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

const noneLeft = (choice: readonly number[], fixed: boolean): CauseError => {
  const [first, last] = [choice[0], choice.at(-1)];
  const tried = fixed ? choice.join(', ') : `${first}-${last}`;
  return new CauseError({
    code: 'port_conflict',
    message: fixed
      ? `expected one of the pool's ports ${tried} to be free, found all taken; free one, or leave out \`ports\` for one of POOL_MANAGERD_PORT_RANGE`
      : `expected a free port in ${tried}, found none; widen POOL_MANAGERD_PORT_RANGE or give the pool \`ports\` of its own`,
    details: { ports: fixed ? choice : [first, last] },
  });
};
