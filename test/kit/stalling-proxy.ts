/** A line between two programs that can stall in the middle of anything: bytes are taken and not passed on, no connection is cut. */
import { connect, createServer, type Socket } from 'node:net';

export interface StallingProxy {
  readonly port: number;
  /** Connections through it that are open now. */
  readonly open: () => number;
  /** From now on, also on connections that are open. `afterBytes`: of what comes back, so many are still passed on. */
  stall(afterBytes?: number): void;
  /** What was held is passed on where somebody still waits for it. */
  flow(): void;
  close(): void;
}

/** To a port of this machine. */
export const startStallingProxy = async (to: number): Promise<StallingProxy> => {
  const sockets = new Set<Socket>();
  let allowance = Number.POSITIVE_INFINITY;
  let held: (() => void)[] = [];
  let open = 0;

  const relay = (from: Socket, into: Socket, counted: boolean): void => {
    from.on('data', (chunk: Buffer) => {
      const passed = counted ? Math.min(chunk.length, allowance) : allowance > 0 ? chunk.length : 0;
      if (counted) allowance -= passed;
      if (passed > 0) into.write(chunk.subarray(0, passed));
      if (passed < chunk.length) held.push(() => void (into.destroyed || into.write(chunk.subarray(passed))));
    });
    from.on('end', () => (allowance > 0 ? into.end() : held.push(() => void into.end())));
    from.on('error', () => into.destroy());
    from.on('close', () => into.destroy());
  };
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    open += 1;
    client.on('close', () => {
      open -= 1;
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    relay(client, upstream, false);
    relay(upstream, client, true);
  });
  const port = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve(Object(server.address()).port)));
  return {
    port,
    open: () => open,
    stall: (afterBytes = 0) => {
      allowance = afterBytes;
    },
    flow: () => {
      allowance = Number.POSITIVE_INFINITY;
      const waiting = held;
      held = [];
      for (const pass of waiting) pass();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
