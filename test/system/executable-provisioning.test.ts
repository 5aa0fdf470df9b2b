/** The executable with Node inside fetches, unpacks and tests as the sources do: what runs on threads is inside it too. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEngineRecord } from '../../src/provisioning/engines/record.ts';
import { executableUnderTest } from '../kit/executable-under-test.ts';
import { fileServer, sha256Of } from '../kit/file-server.ts';
import { realEngine } from '../kit/llama-server.ts';
import { releaseOf } from '../kit/release.ts';

let dir: string;
let executable: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pool-managerd-build-'));
  executable = await executableUnderTest();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const run = async (
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> => {
  const child = spawn(executable, args, { cwd: dir, env: { PATH: '/usr/bin:/bin', HOME: dir, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => (out += String(data)));
  child.stderr.on('data', (data) => (err += String(data)));
  const code = await new Promise<number | null>((settle) => child.once('close', settle));
  return { code, out, err };
};

describe('the executable', () => {
  it('fetches and verifies a model', async (t) => {
    const content = randomBytes(100_000);
    const server = await fileServer(t);
    const { code, out, err } = await run(['pull', server.put('/m.gguf', { content }), '--checksum', `sha256:${sha256Of(content)}`], {});
    expect(code, err).toBe(0);
    expect((await readFile(out.trim())).equals(content)).toBe(true);
  });

  it.skipIf(realEngine === null)('installs the real llama-server, which generates a token with the model that it brings', async (t) => {
    const server = await fileServer(t);
    const archive = await releaseOf(dirname(realEngine ?? ''));
    const binary = { url: server.put('/llama.tar.gz', { content: archive }), checksum: `sha256:${sha256Of(archive)}` };
    const pool = { id: 'a', engine: 'llamacpp', model: import.meta.filename, devices: [0], provisioning: { mode: 'binary', binary } };
    await writeFile(join(dir, 'pools.yaml'), JSON.stringify({ pools: [pool] }));
    const { code, out, err } = await run(['pull'], { POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB' });
    expect(code, err).toBe(0);
    const [program = ''] = out.split('\n');
    expect((await readEngineRecord(dirname(dirname(program))))?.tokenMs).toBeGreaterThan(0);
  });
});
