import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import { llamacpp } from '../../src/engines/llamacpp.ts';
import { startEngine, temporaryDir } from '../kit/engine-process.ts';
import { until } from '../kit/until.ts';

const stub = async () => writeStubExecutable(await temporaryDir());
const model = join(import.meta.dirname, 'stub-llama-server.test.ts');
const start = async (env: Readonly<Record<string, string>>, slots = 1) =>
  startEngine(await stub(), model, { slots, ctx: 64, env: { STUB_LOAD_MS: '0', ...env } });
const status = (url: string): Promise<number | null> =>
  fetch(url).then(
    (response) => response.status,
    () => null,
  );

describe('The stub engine', () => {
  it('says that it is a stub, and names every flag it is given', async () => {
    const executable = await stub();
    const run = (flag: string): string => spawnSync(executable, [flag], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } }).output.join('\n');
    expect(llamacpp.version?.parse(run('--version'))).toBe('0.0.0-stub');
    const known = llamacpp.help?.parseFlags(run('--help')) ?? [];
    const plan = llamacpp.plan({
      spec: (await start({})).run.spec,
      engine: { executable, version: null, knownFlags: known },
      model: { id: 'x', path: model, bytes: null },
      gpus: [{ index: 0, uuid: 'GPU-0' }],
      simulated: false,
      port: 1,
    });
    expect(plan).toHaveProperty('argv');
    expect(plan).not.toHaveProperty('notes');
  });

  it('is up before its model, queues what finds no slot, and frees the slot of a client that left', async () => {
    const engine = await start({ STUB_LOAD_MS: '150', STUB_TOKENS_PER_SECOND: '50' });
    const { endpoint } = engine.run;
    expect(await until('an answer', () => status(`${endpoint}/health`), 10_000)).toBe(503);
    await until('health', async () => (await status(`${endpoint}/health`)) === 200);
    const ask = (n: number, signal: AbortSignal | null = null) =>
      fetch(`${endpoint}/completion`, { method: 'POST', body: JSON.stringify({ prompt: 'x', n_predict: n, stream: true }), signal });
    const left = new AbortController();
    const long = (await ask(10_000, left.signal)).text().catch(() => 'left');
    const short = ask(2).then((response) => response.text());
    const text = (path: string): Promise<string> => fetch(`${endpoint}${path}`).then((response) => response.text());
    await until('a full engine', async () => (await text('/metrics')).includes('requests_deferred 1'));
    expect(await text('/slots')).toContain('"is_processing":true');
    left.abort();
    expect(await long).toBe('left');
    expect(await short).toMatch(/stub|this[\s\S]*\[DONE\]/);
    await until('an idle engine', async () => !(await text('/slots')).includes('"is_processing":true'));
  });

  it('ends cleanly on TERM', async () => {
    const engine = await start({});
    await until('health', async () => (await status(`${engine.run.endpoint}/health`)) === 200, 10_000);
    engine.child.kill('SIGTERM');
    expect(await engine.exited).toEqual({ code: 0, signal: null });
  });

  it('crashes, fails to load and finds its port taken the way llama-server words it', async () => {
    const crashed = await start({ STUB_CRASH_AFTER_MS: '0', STUB_CRASH_CODE: '7' });
    const failed = await start({ STUB_FAIL_LOAD: 'cudaMalloc failed: out of memory' });
    expect(llamacpp.classifyExit(await crashed.exited, crashed.log())).toMatchObject({ code: 'engine_exited', details: { code: 7 } });
    expect(llamacpp.classifyExit(await failed.exited, failed.log())).toMatchObject({ code: 'cuda_oom' });
    const healthy = await start({});
    await until('health', async () => (await status(`${healthy.run.endpoint}/health`)) === 200, 10_000);
    const { stderr, status: code } = spawnSync(await stub(), ['-m', model, '--port', String(healthy.run.port)], { encoding: 'utf8' });
    expect(llamacpp.classifyExit({ code, signal: null }, stderr.split('\n'))).toMatchObject({ code: 'port_conflict' });
  });

  it('hangs on its slots while its health is fine, when told to', async () => {
    const engine = await start({ STUB_HANG: 'slots' });
    await until('health', async () => (await status(`${engine.run.endpoint}/health`)) === 200, 10_000);
    await expect(fetch(`${engine.run.endpoint}/slots`, { signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/);
    expect(await status(`${engine.run.endpoint}/health`)).toBe(200);
  });
});
