/** An engine is built from a git repository: real git, and a stand-in for CMake that does what its script says. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEngineRecord } from '../../src/provisioning/engines/record.ts';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';
import { type BuildSource, createBuildSource, type WantedSource } from '../../src/provisioning/source/build-source.ts';
import { type StorePaths, storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { processesIn } from '../kit/processes-in.ts';
import { passenger } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;

const engine = (version: string): string => `#!/bin/sh
case "$1" in
--version) echo "version: ${version} (build 1)" >&2 ;;
--help) echo '-m,    --model FNAME   the model' ;;
--list-devices) echo 'Available devices:'; echo '  CUDA0: NVIDIA H200 (1 MiB, 1 MiB free)' ;;
*) exit 1 ;;
esac
`;
/** `$1 $2` is `-S source` or `--build target`; `build`: what it then does. */
const cmake = (build: string): string => `#!/bin/sh
dir=$(dirname "$0")
echo "$@" >>"$dir/asked"
case "$1" in
-S) mkdir -p "$4/bin" && echo "$2" >"$4/source" && echo "$@" >"$4/configured" && cut -d' ' -f19 /proc/$$/stat >"$dir/niceness" ;;
--build) source=$(cat "$2/source"); ${build} ;;
esac
`;
const builds = 'cp "$source/program" "$2/bin/llama-server" && chmod 755 "$2/bin/llama-server"';

interface Case {
  readonly dir: string;
  readonly paths: StorePaths;
  readonly wanted: WantedSource;
  commit(version: string): string;
  compiler(version: string | null): void;
  /** Puts a program on the PATH. */
  tool(name: string, text: string): void;
  daemon(options?: { readonly simulated?: boolean; readonly architectures?: readonly string[] }): BuildSource;
  asked(): readonly string[];
}

const begin = async (build = builds): Promise<Case> => {
  const dir = await temporaryDir();
  const [repo, bin, paths] = [join(dir, 'repo'), join(dir, 'bin'), storePaths(join(dir, 'cache'))];
  for (const folder of [repo, bin]) mkdirSync(folder);
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', repo, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' }).trim();
  git('init', '-q', '-b', 'main');
  const tool = (name: string, text: string): void => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  tool('cmake', cmake(build));
  tool('c++', '#!/bin/sh\necho "c++ 12"\n');
  tool('nvcc', '#!/bin/sh\necho "nvcc 12.4"\n');
  const it: Case = {
    dir,
    paths,
    wanted: { engine: 'llamacpp', repo, ref: 'main', submodules: false, cmakeFlags: ['-DLLAMA_CURL=OFF'], generator: null, cacheDir: null },
    commit: (version) => {
      writeFileSync(join(repo, 'program'), engine(version));
      git('add', '.');
      git('commit', '-qm', version);
      return git('rev-parse', 'HEAD');
    },
    tool,
    compiler: (version) => (version === null ? rmSync(join(bin, 'c++')) : tool('c++', `#!/bin/sh\necho "c++ ${version}"\n`)),
    daemon: ({ simulated = false, architectures = ['90'] } = {}) =>
      createBuildSource({
        paths,
        baseDir: dir,
        simulated,
        selfTest: createSelfTest({ simulated, askDeadlineMs: 5_000 }),
        architectures: async () => architectures,
        // Git is where the system has it; of compilers there are only ours.
        env: { PATH: `${bin}:${join(dir, 'git')}` },
        silenceMs: 20_000,
      }),
    asked: () => (existsSync(join(bin, 'asked')) ? readFileSync(join(bin, 'asked'), 'utf8').trim().split('\n') : []),
  };
  mkdirSync(join(dir, 'git'));
  tool('../git/git', `#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin exec git "$@"\n`);
  for (const name of ['dirname', 'mkdir', 'cat', 'cp', 'chmod', 'sleep', 'tail', 'cut'])
    tool(`../git/${name}`, `#!/bin/sh\nPATH=/usr/bin:/bin exec ${name} "$@"\n`);
  it.commit('1.0.0');
  return it;
};
const reasonOf = (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );

describe.skipIf(!hasGit)('an engine from source', () => {
  it('is checked out, built for the GPUs that there are, tested, and used again', async () => {
    const it = await begin();
    const commit = it.commit('1.2.3');
    const listener = passenger();
    const present = await it.daemon({ architectures: ['86', '90'] })(it.wanted, listener);
    expect(present).toMatchObject({ version: '1.2.3', knownFlags: ['-m', '--model'] });
    expect(listener.phases).toEqual(['fetching', 'building']);
    const [configured = '', built = ''] = it.asked();
    for (const flag of ['-DGGML_CUDA=ON', '-DCMAKE_CUDA_ARCHITECTURES=86;90', '-DLLAMA_CURL=OFF', '-DCMAKE_BUILD_TYPE=Release'])
      expect(configured).toContain(flag);
    expect(built).toContain('--target llama-server');
    expect(Number(/--parallel (\d+)/.exec(built)?.[1]), 'no more at once than there are cores').toBeLessThanOrEqual(availableParallelism());
    expect(Number(readFileSync(join(it.dir, 'bin', 'niceness'), 'utf8')), 'engines come first').toBeGreaterThanOrEqual(10);
    const [key = ''] = readdirSync(it.paths.engines);
    expect(await readEngineRecord(join(it.paths.engines, key))).toMatchObject({
      build: { commit, compiler: 'c++ 12\nnvcc 12.4', architectures: ['86', '90'] },
      hasCuda: true,
    });
    expect(readdirSync(join(it.paths.root, 'builds')), 'the workshop is cleared').toEqual([]);
    expect(await it.daemon({ architectures: ['86', '90'] })(it.wanted, passenger())).toEqual(present);
    expect(it.asked()).toHaveLength(2);
  });

  it('is built anew for another ref, other flags, other GPUs, other compilers, and not for a branch that moved', async () => {
    const it = await begin();
    const build = async (changes: Partial<WantedSource> = {}, architectures = ['90']): Promise<number> => {
      await it.daemon({ architectures })({ ...it.wanted, ...changes }, passenger());
      return it.asked().filter((line) => line.startsWith('--build')).length;
    };
    expect(await build()).toBe(1);
    it.commit('2.0.0');
    expect(await build()).toBe(1);
    expect(await build({ ref: it.commit('3.0.0') })).toBe(2);
    expect(await build({ cmakeFlags: ['-DOTHER=ON'] })).toBe(3);
    expect(await build({}, ['100'])).toBe(4);
    it.compiler('13');
    expect(await build()).toBe(5);
    it.compiler(null);
    expect(await build(), 'without a compiler what is there will do').toBe(5);
  });

  it('is built by an older compiler for the host where nvcc wants one, as many times as it wants', async () => {
    const wants = (newest: number): string =>
      `echo "error -- unsupported GNU version! gcc versions later than ${newest} are not supported!" >&2; exit 1`;
    const it = await begin(`case $(tail -n 1 "$2/configured") in
*HOST_COMPILER=*g++-12*) ${builds} ;;
*HOST_COMPILER=*g++-13*) ${wants(12)} ;;
*) ${wants(14)} ;;
esac`);
    for (const version of [15, 13, 12]) it.tool(`g++-${version}`, '#!/bin/sh\n');
    await it.daemon()(it.wanted, passenger());
    const hosts = it.asked().flatMap((line) => (line.startsWith('-S') ? [/HOST_COMPILER=\S*\/(\S+)/.exec(line)?.[1] ?? 'usual'] : []));
    expect(hosts).toEqual(['usual', 'g++-13', 'g++-12']);

    const none = await begin(wants(11));
    none.tool('g++-12', '#!/bin/sh\n');
    none.tool('g++-11', '#!/bin/sh\n');
    expect(await reasonOf(none.daemon()(none.wanted, passenger()))).toMatchObject({
      code: 'build_failed',
      message: expect.stringMatching(/gcc versions later than 11.*no other than \S*g\+\+-11 is on the PATH/),
    });
    const asked = none.asked().length;
    await reasonOf(none.daemon()({ ...none.wanted, cmakeFlags: ['-DCMAKE_CUDA_HOST_COMPILER=/usr/bin/mine'] }, passenger()));
    expect(none.asked().length - asked, 'who names one is taken at their word').toBe(2);
  });

  it('that a daemon was killed over is begun anew, and without CUDA with simulated GPUs only', async () => {
    const it = await begin();
    await it.daemon()(it.wanted, passenger());
    const [key = ''] = readdirSync(it.paths.engines);
    rmSync(join(it.paths.engines, key, 'install.json'));
    mkdirSync(join(it.paths.root, 'builds', key, 'build', 'bin'), { recursive: true });
    await it.daemon()(it.wanted, passenger());
    expect(readdirSync(join(it.paths.engines, key)).sort()).toEqual(['files', 'install.json']);
    await it.daemon({ simulated: true, architectures: [] })(it.wanted, passenger());
    expect(it.asked().findLast((line) => line.startsWith('-S'))).not.toContain('CUDA');
  });

  it('that nobody wants any more is given up with all that it started', async () => {
    const it = await begin('sleep 1000 & wait');
    const listener = passenger();
    const given = it.daemon()(it.wanted, listener);
    await until('the build to be at it', () => it.asked().length === 2);
    listener.leave();
    await expect(given).rejects.toThrow('no longer wanted');
    await until('nothing of it to be left', () => processesIn(it.dir).length === 0 && readdirSync(it.paths.engines).length === 0);
    expect(readdirSync(join(it.paths.root, 'builds'))).toEqual([]);
  });
});

describe.skipIf(!hasGit)('what cannot be built', () => {
  it.each<[string, string, string, Partial<WantedSource>, string]>([
    ['no such ref', builds, 'build_failed', { ref: 'v9' }, 'v9'],
    ['no such repository', builds, 'build_failed', { repo: '/nowhere/repo' }, '/nowhere/repo'],
    ['a transport that is a program', builds, 'build_failed', { repo: 'foreign://ext::sh' }, 'not allowed'],
    ['a host that is not there', builds, 'download_unreachable', { repo: 'https://nobody.invalid/repo.git' }, 'nobody.invalid'],
    ['a compiler that fails', 'echo "error: no member named x" >&2; exit 1', 'build_failed', {}, 'no member named x'],
    ['a build that makes no such program', 'true', 'build_failed', {}, 'bin/llama-server'],
    [
      'a program that does not start',
      'printf "#!/bin/sh\\nexit 3" >"$2/bin/llama-server"; chmod 755 "$2/bin/llama-server"',
      'engine_incompatible',
      {},
      'exit code 3',
    ],
    ['an engine that has no CMake', builds, 'invalid_spec', { engine: 'vllm' }, 'vllm'],
  ])('is %s', async (_what, build, code, changes, message) => {
    const it = await begin(build);
    expect(await reasonOf(it.daemon()({ ...it.wanted, ...changes }, passenger()))).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(existsSync(it.paths.engines) ? readdirSync(it.paths.engines) : []).toEqual([]);
  });

  it('says which tools are missing', async () => {
    const it = await begin();
    it.compiler(null);
    rmSync(join(it.dir, 'bin', 'nvcc'));
    const reason = await reasonOf(it.daemon()(it.wanted, passenger()));
    expect(reason).toMatchObject({ code: 'build_failed', message: expect.stringMatching(/found no c\+\+(?:, no nvcc)?/) });
  });
});
