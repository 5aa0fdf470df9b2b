/** An engine that answers chosen bytes, path by path; what it was not told to answer is 404. Nobody listens until it is told to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { overOneLine } from '../../src/actors/ask-engine.ts';
import { type Probe, probeOnce } from '../../src/actors/probe/probe-once.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { freePorts } from './free-ports.ts';
import { gpuRun, gpuSpec } from './gpu-facts.ts';

export type Canned = Readonly<Record<string, readonly [status: number, body: string]>>;

export interface CannedEngine {
  /** What is asked of it now, as the daemon asks. */
  probe(emptying?: boolean): Promise<Probe>;
  /** Requests since the last time this was asked. */
  asked(): readonly string[];
  listen(answers: Canned): Promise<void>;
  close(): Promise<void>;
}

export const cannedEngine = async (facts: Partial<PoolSpec>): Promise<CannedEngine> => {
  const { first: port } = await freePorts(1);
  const spec = gpuSpec(facts);
  const run = gpuRun({ engine: spec.engine, spec, port, endpoint: `http://127.0.0.1:${port}` });
  let answers: Canned = {};
  let asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [status, body] = answers[request.url ?? ''] ?? [404, '{"detail":"Not Found"}'];
    response.writeHead(status).end(body);
  });
  return {
    probe: (emptying = false) =>
      overOneLine(run.endpoint, (line) =>
        probeOnce(run, { listenerOwner: async () => 'ours', readApiKey: async () => null }, { emptying, signal: new AbortController().signal, line }),
      ),
    asked: () => {
      const these = asked;
      asked = [];
      return these;
    },
    listen: async (given) => {
      answers = given;
      if (server.listening) return;
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      if ((server.address() as AddressInfo).port !== port) throw new Error('listens elsewhere');
    },
    close: () => new Promise((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
  };
};
