/** Has an engine generate one token with a tiny model, on a socket of its own and without a card: it starts, it computes, it answers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CauseError, isCause } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import type { PoolSpec } from '../../machines/vocabulary.ts';
import { helper } from '../../os/helper.ts';
import { readOwnFile } from '../../os/own-files.ts';
import { startTool } from '../../os/start-tool.ts';
import { askSocket } from './ask-socket.ts';

const lookEveryMs = 50;
const mostSaid = 4_000;

export interface TokenTest {
  readonly executable: string;
  readonly adapter: EngineAdapter;
  readonly help: string;
  readonly env: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
}

/**
 * Milliseconds from start to token; null: this engine cannot be asked for one in this way. Rejects with `engine_incompatible`, or
 * with `start_stalled` where time was too short for it: that may be a busy machine's doing, and is tried again.
 */
export const generateToken = async ({ executable, adapter, help, env, deadlineMs }: TokenTest, signal: AbortSignal): Promise<number | null> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-self-test-'));
  try {
    const socket = join(dir, 'engine.sock');
    const tinyModel = join(dir, 'tiny.gguf');
    await writeFile(tinyModel, await readOwnFile('src/provisioning/self-test', 'tiny.gguf'));
    const argv = adapter.selfTest?.serve(tinyModel, socket, help) ?? null;
    if (argv === null || adapter.token === null) return null;
    const begun = performance.now();
    const ending = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
    const engine = start(executable, argv, env, dir);
    try {
      const answered = await Promise.race([tokenOf(adapter, tinyModel, socket, ending), engine.ended]);
      if (answered === true) return Math.round(performance.now() - begun);
      const found = ending.aborted ? `expected a token within ${deadlineMs} ms, found none` : answered;
      throw new CauseError({
        code: ending.aborted ? 'start_stalled' : 'engine_incompatible',
        message: `${found}; it said ${JSON.stringify(engine.said().trim().slice(-600))}`,
      });
    } finally {
      await engine.end();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

const start = (executable: string, argv: readonly string[], env: Readonly<Record<string, string>>, cwd: string) => {
  const { promise: gone, resolve: goes } = Promise.withResolvers<string>();
  const child = startTool(helper(executable, argv), { cwd, env, detached: true }, (error) =>
    goes(`expected ${executable} to start, found ${error.message}`),
  );
  let said = '';
  for (const stream of child === null ? [] : [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-mostSaid);
    });
  }
  child?.once('exit', (code, by) => goes(`expected ${executable} to generate a token, found that it ended with ${by ?? `code ${code}`}`));
  return {
    ended: gone,
    said: () => said,
    /** A session of its own: what it started goes with it. */
    end: async (): Promise<void> => {
      if (child?.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
      await gone;
    },
  };
};

/** True, or what was found instead. */
const tokenOf = async (adapter: EngineAdapter, model: string, socket: string, signal: AbortSignal): Promise<true | string> => {
  const spec = {} as PoolSpec;
  const ask = adapter.token?.ask(spec, { id: 'tiny', path: model, bytes: null }) ?? null;
  if (ask === null || adapter.token === null) return 'expected a way to ask for a token, found none';
  for (;;) {
    if (signal.aborted) return 'expected a token in time, found none';
    const health = await askSocket(socket, adapter.liveness.ask(spec), signal).catch(() => null);
    if (health !== null && adapter.liveness.read(health) === 'ok') break;
    await pause(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  const answer = await askSocket(socket, ask, signal).catch((thrown: unknown) => String(thrown));
  if (typeof answer === 'string') return `expected a token, found ${answer}`;
  const verdict = adapter.token.read(answer);
  return verdict === true ? true : isCause(verdict) ? verdict.message : 'expected a token, found none';
};
