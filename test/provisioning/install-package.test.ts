/** An engine that is a Python package gets an environment of its own, by a stand-in for uv that does what its script says. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEngineRecord } from '../../src/provisioning/engines/record.ts';
import { createInstallPackage, type InstallPackage, isPackageKey } from '../../src/provisioning/package/install-package.ts';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';
import { type StorePaths, storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { processesIn } from '../kit/processes-in.ts';
import { passenger } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

/** Answers as vLLM does when it is asked what it is. */
const engine = `#!/bin/sh
case "$1" in
--version) echo 0.9.1 ;;
serve) echo "  --model MODEL" ;;
esac
`;

/** `install`: what its \`pip install\` does, in a shell whose \`$bin\` is the environment's. */
const uv = (install: string): string => `#!/bin/sh
dir=$(dirname "$0")
echo "$@" >>"$dir/asked"
env >>"$dir/env"
case "$1 $2" in
"venv --no-project") mkdir -p "$3/bin" && touch "$3/bin/python" ;;
"pip install") bin=$(dirname "$4"); ${install} ;;
"pip sync") bin=$(dirname "$5"); ${install} ;;
"pip freeze") echo torch==2.8.0; echo vllm==0.9.1 ;;
*) exit 2 ;;
esac
`;
const installs = `cp "$dir/engine" "$bin/vllm" && chmod 755 "$bin/vllm"`;

interface Case {
  readonly dir: string;
  readonly paths: StorePaths;
  daemon(env?: Readonly<Record<string, string>>): InstallPackage;
  asked(): readonly string[];
}

const begin = async (install = installs, silenceMs = 5_000): Promise<Case> => {
  const dir = await temporaryDir();
  const paths = storePaths(join(dir, 'cache'));
  mkdirSync(join(dir, 'bin'));
  writeFileSync(join(dir, 'bin', 'engine'), engine);
  writeFileSync(join(dir, 'bin', 'uv'), uv(install));
  chmodSync(join(dir, 'bin', 'uv'), 0o755);
  return {
    dir,
    paths,
    daemon: (env = {}) =>
      createInstallPackage({
        paths,
        baseDir: dir,
        simulated: true,
        selfTest: createSelfTest({ simulated: true }),
        env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin`, ...env },
        silenceMs,
      }),
    asked: () =>
      existsSync(join(dir, 'bin', 'asked'))
        ? readFileSync(join(dir, 'bin', 'asked'), 'utf8')
            .trim()
            .split('\n')
        : [],
  };
};
const vllm = { engine: 'vllm', name: 'vllm', version: '0.9.1', lock: null } as const;
const reasonOf = (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );

describe('a package of a pinned version', () => {
  it('is installed into an environment of its own, tested, and used again as it is', async () => {
    const it = await begin();
    const listener = passenger();
    const present = await it.daemon()(vllm, listener);
    expect(present).toMatchObject({ version: '0.9.1', executable: expect.stringMatching(/\/engines\/vllm-py-[0-9a-f]{20}\/files\/bin\/vllm$/) });
    expect(listener.phases).toEqual(['building']);
    expect(it.asked().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['venv --no-project', 'pip install', 'pip freeze']);
    expect(it.asked()[1]).toMatch(/ vllm==0\.9\.1$/);
    const [key = ''] = readdirSync(it.paths.engines);
    expect(await readEngineRecord(join(it.paths.engines, key))).toMatchObject({
      from: 'pypi:vllm==0.9.1',
      packages: ['torch==2.8.0', 'vllm==0.9.1'],
    });
    expect(readFileSync(it.paths.provenance, 'utf8')).toContain('pypi:vllm==0.9.1');
    expect(await it.daemon()(vllm, passenger())).toEqual(present);
    expect(it.asked()).toHaveLength(3);
  });

  it('comes by its lock file and nothing else, and again when that changed', async () => {
    const it = await begin();
    writeFileSync(join(it.dir, 'vllm.lock'), 'vllm==0.9.1 --hash=sha256:00\n');
    const locked = { ...vllm, lock: 'vllm.lock' };
    const present = await it.daemon()(locked, passenger());
    expect(it.asked()[1]).toMatch(/^pip sync --require-hashes --python \S+ \S+\/vllm\.lock$/);
    const [key = ''] = readdirSync(it.paths.engines);
    expect(key).toMatch(/^vllm-py-[0-9a-f]{20}-[0-9a-f]{12}$/);
    expect(isPackageKey(key, locked)).toBe(true);
    expect(isPackageKey(key, vllm)).toBe(false);
    expect((await readEngineRecord(join(it.paths.engines, key)))?.from).toMatch(/^pypi:vllm==0\.9\.1 by lock sha256:[0-9a-f]{64}$/);
    expect(await it.daemon()(locked, passenger())).toEqual(present);
    expect(it.asked()).toHaveLength(3);
    writeFileSync(join(it.dir, 'vllm.lock'), 'vllm==0.9.1 --hash=sha256:01\n');
    expect((await it.daemon()(locked, passenger())).executable).not.toBe(present.executable);

    const other = await reasonOf(it.daemon()({ ...locked, version: '0.9.2' }, passenger()));
    expect(other).toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(/expected vllm==0\.9\.2 in \S+vllm\.lock, found vllm==0\.9\.1/),
    });
    const gone = await reasonOf(it.daemon()({ ...vllm, lock: 'gone.lock' }, passenger()));
    expect(gone).toMatchObject({ code: 'install_failed', message: expect.stringMatching(/gone\.lock, found ENOENT.*--generate-hashes/) });
  });

  it('lies beside others, once for all who want it', async () => {
    const it = await begin();
    const install = it.daemon();
    const all = await Promise.all([vllm, vllm, { ...vllm, version: '0.9.0' }].map((wanted) => install(wanted, passenger())));
    expect(new Set(all.map(({ executable }) => executable)).size).toBe(2);
    expect(it.asked().filter((line) => line.startsWith('venv'))).toHaveLength(2);
  });

  it('is made anew where a daemon was killed over it, or its program was written to', async () => {
    const it = await begin();
    const { executable } = await it.daemon()(vllm, passenger());
    const dir = join(executable, '../../..');
    rmSync(join(dir, 'install.json'));
    writeFileSync(join(dir, 'files', 'half'), 'made');
    await it.daemon()(vllm, passenger());
    expect(existsSync(join(dir, 'files', 'half'))).toBe(false);
    writeFileSync(executable, '#!/bin/sh\necho evil\n');
    await it.daemon()(vllm, passenger());
    expect(readFileSync(executable, 'utf8')).toBe(engine);
  });

  it('is installed with what installers need of the environment, and with no token', async () => {
    const it = await begin();
    await it.daemon({
      HF_TOKEN: 'hf_secret',
      LLORCH_API_TOKEN: 'secret-secret-secret',
      UV_INDEX_URL: 'https://mirror.example',
      HTTPS_PROXY: 'http://proxy:1',
    })(vllm, passenger());
    const env = readFileSync(join(it.dir, 'bin', 'env'), 'utf8');
    expect(env).not.toContain('secret');
    expect(env).toContain('UV_INDEX_URL=https://mirror.example');
    expect(env).toContain('HTTPS_PROXY=http://proxy:1');
  });

  it('that nobody wants any more is given up at once, with all that it started', async () => {
    const it = await begin('sleep 1000 & wait');
    const listener = passenger();
    const given = it.daemon()(vllm, listener);
    await until('the installer to be at it', () => it.asked().length === 2);
    const begun = performance.now();
    listener.leave();
    await expect(given).rejects.toThrow('no longer wanted');
    expect(performance.now() - begun).toBeLessThan(1_000);
    await until('nothing of it to be left', () => processesIn(it.dir).length === 0 && readdirSync(it.paths.engines).length === 0);
  });
});

describe('a package that cannot be installed', () => {
  it.each<[string, string, string, string]>([
    ['there is none of that version', 'echo "No solution found when resolving dependencies" >&2; exit 1', 'install_failed', 'No solution found'],
    ['the index cannot be reached', 'echo "error sending request for url: dns error" >&2; exit 2', 'download_unreachable', 'dns error'],
    ['the disk is full', 'echo "No space left on device (os error 28)" >&2; exit 2', 'disk_full', 'No space left'],
    ['it has no such program', 'true', 'install_failed', 'expected vllm in vllm 0.9.1'],
    ['its program does not start', 'echo "#!/bin/sh\nexit 3" >"$bin/vllm"; chmod 755 "$bin/vllm"', 'engine_incompatible', 'exit code 3'],
  ])('since %s', async (_what, install, code, message) => {
    const it = await begin(install);
    expect(await reasonOf(it.daemon()(vllm, passenger()))).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(readdirSync(it.paths.engines)).toEqual([]);
  });

  it('since the installer says nothing any more', async () => {
    const it = await begin('sleep 1000', 300);
    expect(await reasonOf(it.daemon()(vllm, passenger()))).toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('no word for 300 ms'),
    });
  });

  it('since there is nothing to install it with', async () => {
    const it = await begin();
    expect(await reasonOf(it.daemon({ PATH: '/nowhere' })(vllm, passenger()))).toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('uv or python3'),
    });
  });

  it('since nobody knows which program of it is the engine', async () => {
    const it = await begin();
    expect(await reasonOf(it.daemon()({ ...vllm, engine: 'custom' }, passenger()))).toMatchObject({ code: 'invalid_spec' });
  });
});
