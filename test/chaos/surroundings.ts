/**
 * What stands around a daemon in a chaos run: strangers' engines and their handoff files, squatters on ports, clients with
 * requests, an orchestratord of moods. All of it belongs to this process and ends with it.
 */

import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { OrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { type Streaming, stream } from '../kit/completions.ts';
import { impostorHeader } from './look.ts';
import type { HandoffKind, OrchestratorTurn } from './steps.ts';

/** Answers all that an engine is asked, and is none of ours. */
const startImpostor = (port: number): Promise<Server | null> =>
  new Promise((resolve) => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', [impostorHeader]: '1' }).end('{"content":"x","stop":true}');
    });
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

const shut = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

export interface Handoffs {
  write(kind: HandoffKind, about: string): Promise<void>;
  close(): Promise<void>;
}

/** `port`: where a forged handoff file points to. */
export const handoffs = (runtimeDir: string): Handoffs => {
  const strangers = new Map<string, Server>();
  let written = 0;

  const next = (): number => {
    written += 1;
    return written;
  };

  const strangerOf = async (id: string): Promise<string> => {
    const server = strangers.get(id) ?? (await startImpostor(0));
    if (server === null) throw new Error('expected a free port for a stranger, found none');
    strangers.set(id, server);
    return `http://127.0.0.1:${portOf(server)}`;
  };

  const put = async (content: string): Promise<void> => {
    const name = `chaos-${next()}.json`;
    await writeFile(join(runtimeDir, `.${name}`), content);
    await rename(join(runtimeDir, `.${name}`), join(runtimeDir, name));
  };

  const handoffOf = async (about: string, more: object): Promise<string> =>
    JSON.stringify({ pool_id: about, engine: 'custom', endpoint: await strangerOf(about), slots: 2, ready: true, ...more });

  const ways: Readonly<Record<HandoffKind, (about: string) => Promise<unknown>>> = {
    stranger: async (about) => put(await handoffOf(about.startsWith('stranger') ? about : 'stranger-0', {})),
    strangerNotReady: async (about) => put(await handoffOf(about.startsWith('stranger') ? about : 'stranger-0', { ready: false })),
    strangerGone: async (about) => {
      const server = strangers.get(about);
      strangers.delete(about);
      if (server !== undefined) await shut(server);
    },
    forgedEndpoint: async (about) => put(await handoffOf(about, {})),
    forgedIncarnation: async (about) => put(await handoffOf(about, { incarnation: 'f0e1d2c3b4a59687', replica_id: 'r9' })),
    notReady: async (about) => put(await handoffOf(about, { ready: false })),
    torn: () => put('{"pool_id":"sound-0","endpoi'),
    wrongType: (about) => put(JSON.stringify({ pool_id: [about], endpoint: 7, slots: 'many', __proto__: {} })),
    elsewhere: (about) => put(JSON.stringify({ pool_id: about, endpoint: 'http://192.0.2.7:80', slots: 1 })),
    huge: (about) => put(JSON.stringify({ pool_id: about, endpoint: 'http://127.0.0.1:1', junk: 'x'.repeat(3_000_000) })),
    folder: () => mkdir(join(runtimeDir, `folder-${next()}.json`)),
    link: () => symlink('/etc/passwd', join(runtimeDir, `link-${next()}.json`)),
  };

  return {
    write: async (kind, about) => {
      await ways[kind](about);
    },
    close: async () => {
      await Promise.all([...strangers.values()].map(shut));
      await rm(runtimeDir, { recursive: true, force: true });
    },
  };
};

export interface Squatters {
  /** Until `leave`; nothing where the port is taken. */
  squat(port: number): Promise<() => Promise<void>>;
}

export const squatters: Squatters = {
  squat: async (port) => {
    const server = await startImpostor(port);
    return async () => {
      if (server !== null) await shut(server);
    };
  },
};

export interface Clients {
  send(endpoint: string, tokens: number): void;
  leave(): Promise<void>;
}

export const clients = (): Clients => {
  const under = new Set<Streaming>();
  return {
    send: (endpoint, tokens) => {
      const request = stream(endpoint, tokens);
      under.add(request);
      void request.done.then(() => under.delete(request));
    },
    leave: async () => {
      for (const request of under) request.leave();
      await Promise.all([...under].map(({ done }) => done));
    },
  };
};

export const turn = async (orchestrator: OrchestratorStandIn, to: OrchestratorTurn, isUp: { value: boolean }): Promise<void> => {
  const faults: Partial<Record<OrchestratorTurn, Parameters<OrchestratorStandIn['fail']>[0]>> = {
    refuses: { kind: 'status', status: 401 },
    breaks: { kind: 'status', status: 500, body: 'no' },
    lies: { kind: 'lie', body: '{"success":true,"next_heartbeat_ms":-7,"message":[]}' },
    hangs: { kind: 'hang' },
    cuts: { kind: 'cut' },
    slow: { kind: 'slow', ms: 900 },
    heals: null,
  };
  if (to === 'down' && isUp.value) await orchestrator.down();
  if (to === 'up' && !isUp.value) await orchestrator.up();
  if (to === 'down' || to === 'up') isUp.value = to === 'up';
  else if (to === 'forgets') orchestrator.forget();
  else orchestrator.fail(faults[to] ?? null);
};
