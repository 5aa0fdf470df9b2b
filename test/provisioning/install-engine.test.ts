/** A released engine comes to be installed: only what was asked for, only once it has shown what it can, and beside others. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { createInstallEngine, type InstallEngine, type WantedEngine } from '../../src/provisioning/engines/install.ts';
import { readEngineRecord } from '../../src/provisioning/engines/record.ts';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';
import { type StorePaths, storePaths } from '../../src/provisioning/store/paths.ts';
import { tarGz, zipOf } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { type FileServer, fileServer, sha256Of, type Turn } from '../kit/file-server.ts';
import { impatient, passenger } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

/** A program that answers as llama-server does when it is asked what it is. */
const program = (version = '1.2.3', devices = '  CUDA0: NVIDIA H200 (1 MiB, 1 MiB free)'): Buffer =>
  Buffer.from(`#!/bin/sh
echo "$1 \${CUDA_VISIBLE_DEVICES-unset}" >>"$(dirname "$0")/../../../asked"
case "$1" in
--version) echo "version: ${version} (build 1)" >&2 ;;
--help) echo '-m,    --model FNAME   the model' ;;
--list-devices) echo 'Available devices:'; echo '${devices}' ;;
*) exit 1 ;;
esac
`);
const releaseOf = (content: Buffer): Buffer =>
  tarGz([
    { name: 'bin/llama-server', content },
    { name: 'lib/libllama.so', type: '2', target: 'libllama.so.0' },
    { name: 'lib/libllama.so.0', content: randomBytes(100_000), mode: 0o644 },
  ]);

interface Case {
  readonly server: FileServer;
  readonly paths: StorePaths;
  readonly wanted: WantedEngine;
  /** A daemon with real GPUs on the same store; `simulated`: one without. */
  daemon(simulated?: boolean): InstallEngine;
}

const begin = async (
  context: Pick<TestContext, 'onTestFinished'>,
  archive: Buffer,
  script: readonly Turn[] = [],
  name = '/llama.tar.gz',
): Promise<Case> => {
  const server = await fileServer(context);
  const url = server.put(name, { content: archive, script });
  const paths = storePaths(join(await temporaryDir(), 'cache'));
  return {
    server,
    paths,
    wanted: { engine: 'llamacpp', url, checksum: `sha256:${sha256Of(archive)}`, installDir: null, executable: null },
    daemon: (simulated = false) =>
      createInstallEngine({
        paths,
        baseDir: dirname(paths.root),
        simulated,
        selfTest: createSelfTest({ simulated, askDeadlineMs: 5_000 }),
        patience: impatient,
      }),
  };
};
const installed = ({ paths }: Case): readonly string[] =>
  existsSync(paths.engines) ? readdirSync(paths.engines).filter((name) => name !== 'asked') : [];
const reasonOf = (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );

describe('a release', () => {
  it('is fetched, unpacked, asked what it can do, and found as it is from then on', async (context) => {
    const it = await begin(context, releaseOf(program()));
    const listener = passenger();
    const engine = await it.daemon()(it.wanted, listener);
    expect(engine).toMatchObject({ version: '1.2.3', knownFlags: ['-m', '--model'] });
    expect(engine.executable).toMatch(/\/engines\/llamacpp-[0-9a-f]{24}\/files\/bin\/llama-server$/);
    expect(listener.phases).toEqual(['fetching', 'verifying', 'building']);
    const record = await readEngineRecord(join(it.paths.engines, installed(it)[0] ?? ''));
    expect(record).toMatchObject({ engine: 'llamacpp', checksum: it.wanted.checksum, engineVersion: '1.2.3', hasCuda: true, tokenMs: null });
    expect(record?.devices).toEqual(['CUDA0: NVIDIA H200 (1 MiB, 1 MiB free)']);
    expect(readdirSync(it.paths.parts), 'the archive is gone').toEqual([]);
    expect(JSON.parse(readFileSync(it.paths.provenance, 'utf8'))).toMatchObject({
      action: 'installed',
      what: 'engine',
      from: it.wanted.url,
      digests: [it.wanted.checksum],
    });
    await it.server.close();
    const begun = performance.now();
    expect(await it.daemon()(it.wanted, passenger())).toEqual(engine);
    expect(performance.now() - begun, 'nothing is asked again').toBeLessThan(100);
  });

  it('is asked without a card, but for its devices', async (context) => {
    const it = await begin(context, releaseOf(program()));
    await it.daemon()(it.wanted, passenger());
    expect(readFileSync(join(it.paths.engines, 'asked'), 'utf8').split('\n').slice(0, 4)).toEqual([
      '--version ',
      '--help ',
      '--list-devices unset',
      '--help ',
    ]);
  });

  it('lies beside others, and one archive may hold several programs', async (context) => {
    const it = await begin(context, releaseOf(program('1.0.0')));
    const [one, other] = [
      releaseOf(program('1.0.0')),
      zipOf([
        { name: 'build/llama-server', content: program('2.0.0') },
        { name: 'build/other', content: program('3.0.0') },
      ]),
    ];
    const install = it.daemon();
    const urls = [one, other].map((content, index) => ({
      ...it.wanted,
      url: it.server.put(`/r${index}`, { content }),
      checksum: `sha256:${sha256Of(content)}`,
    }));
    const named = { ...it.wanted, ...urls[1], executable: 'build/other' };
    const versions = await Promise.all([...urls, named].map(async (wanted) => (await install(wanted, passenger())).version));
    expect(versions).toEqual(['1.0.0', '2.0.0', '3.0.0']);
    expect(installed(it)).toHaveLength(3);
  });

  it('may be the program itself, in a folder of its own', async (context) => {
    const it = await begin(context, program('4.0.0'), [], '/server');
    const engine = await it.daemon()({ ...it.wanted, installDir: 'here' }, passenger());
    expect(engine).toMatchObject({ version: '4.0.0', executable: expect.stringMatching(/\/here\/llamacpp-[0-9a-f]+\/files\/llama-server$/) });
  });

  it('that a daemon was killed over is begun anew from its archive, and nothing of the first try is in it', async (context) => {
    const it = await begin(context, releaseOf(program()));
    const { executable } = await it.daemon()(it.wanted, passenger());
    const [key = ''] = installed(it);
    const dir = join(it.paths.engines, key);
    rmSync(join(dir, 'install.json'));
    mkdirSync(join(it.paths.engines, `.staging-${key}`, 'files', 'evil'), { recursive: true });
    expect(await it.daemon()(it.wanted, passenger())).toMatchObject({ executable });
    expect(readdirSync(join(dir, 'files')).sort()).toEqual(['bin', 'lib']);
    expect(readdirSync(it.paths.engines).filter((name) => name.startsWith('.staging'))).toEqual([]);
  });

  it('is installed once for all who want it', async (context) => {
    const it = await begin(context, releaseOf(program()));
    const [one, two] = [it.daemon(), it.daemon()];
    const all = await Promise.all([one, one, two, two].map((install) => install(it.wanted, passenger())));
    expect(new Set(all.map(({ executable }) => executable)).size).toBe(1);
    expect(it.server.asked).toHaveLength(1);
  });

  it('that was written to is not run: it is fetched again (row 72)', async (context) => {
    const it = await begin(context, releaseOf(program()));
    const { executable } = await it.daemon()(it.wanted, passenger());
    appendFileSync(executable, 'echo evil\n');
    const again = await it.daemon()(it.wanted, passenger());
    expect(readFileSync(again.executable, 'utf8')).not.toContain('evil');
    expect(it.server.asked).toHaveLength(2);
  });

  it('that was moved to another disk is believed by its digests, without a network', async (context) => {
    const it = await begin(context, releaseOf(program()));
    const { executable } = await it.daemon()(it.wanted, passenger());
    const dir = join(it.paths.engines, installed(it)[0] ?? '');
    cpSync(dir, `${dir}.copy`, { recursive: true, preserveTimestamps: true });
    execFileSync('sh', ['-c', `rm -r '${dir}' && mv '${dir}.copy' '${dir}'`]);
    await it.server.close();
    expect(await it.daemon()(it.wanted, passenger())).toMatchObject({ executable, version: '1.2.3' });
  });

  it('is gone on with after its download was given up', async (context) => {
    const archive = releaseOf(program());
    const half = Math.floor(archive.length / 2);
    const it = await begin(context, archive, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }]);
    const listener = passenger();
    const given = it.daemon()(it.wanted, listener);
    const part = () => readdirSync(it.paths.parts).find((name) => !name.endsWith('.json'));
    await until(
      'half of it to be there',
      () => existsSync(it.paths.parts) && part() !== undefined && statSync(join(it.paths.parts, part() ?? '')).size === half,
    );
    listener.leave();
    await expect(given).rejects.toThrow('no longer wanted');
    expect(installed(it)).toEqual([]);
    await it.daemon()(it.wanted, passenger());
    expect(it.server.asked[1]?.range).toBe(`bytes=${half}-`);
  });
});

describe('what does not count as an engine', () => {
  it.each<[string, string, Buffer]>([
    ['has no CUDA', 'engine_incompatible', releaseOf(program('1', '  (none)'))],
    ['has another kind of device', 'engine_incompatible', releaseOf(program('1', '  Vulkan0: llvmpipe (1 MiB, 1 MiB free)'))],
    [
      'does not start',
      'engine_incompatible',
      releaseOf(Buffer.from('#!/bin/sh\necho "libcuda.so.1: cannot open shared object file" >&2\nexit 127\n')),
    ],
    ['is for another machine', 'engine_incompatible', releaseOf(Buffer.from(`\x7fELF${'\0'.repeat(100)}`))],
    ['has no llama-server', 'install_failed', tarGz([{ name: 'bin/other', content: program() }])],
    [
      'has two of them',
      'install_failed',
      tarGz([
        { name: 'a/llama-server', content: program() },
        { name: 'b/llama-server', content: program() },
      ]),
    ],
    ['may not be executed', 'install_failed', tarGz([{ name: 'llama-server', content: program(), mode: 0o644 }])],
    ['leads out', 'install_failed', tarGz([{ name: '../llama-server', content: program() }])],
    ['is no archive', 'install_failed', randomBytes(1000)],
  ])('is what %s: %s, and nothing of it is left', async (_what, code, archive) => {
    const it = await begin({ onTestFinished }, archive);
    expect(await reasonOf(it.daemon()(it.wanted, passenger()))).toMatchObject({ code });
    expect(installed(it)).toEqual([]);
  });

  it('is what has another digest', async (context) => {
    const it = await begin(context, releaseOf(program()));
    expect(await reasonOf(it.daemon()({ ...it.wanted, checksum: `sha256:${'1'.repeat(64)}` }, passenger()))).toMatchObject({
      code: 'digest_mismatch',
    });
    expect([installed(it), readdirSync(it.paths.parts)]).toEqual([[], []]);
  });

  it('is what is not there', async (context) => {
    const it = await begin(context, releaseOf(program()));
    expect(await reasonOf(it.daemon()({ ...it.wanted, url: `${it.server.url}/nowhere` }, passenger()))).toMatchObject({ code: 'engine_missing' });
  });
});

describe('with simulated GPUs', () => {
  it('an engine without CUDA will do, until there are real ones', async (context) => {
    const it = await begin(context, releaseOf(program('1', '  (none)')));
    const engine = await it.daemon(true)(it.wanted, passenger());
    expect(engine.version).toBe('1');
    expect(await it.daemon(true)(it.wanted, passenger())).toEqual(engine);
    expect(await reasonOf(it.daemon(false)(it.wanted, passenger()))).toMatchObject({
      code: 'engine_incompatible',
      message: expect.stringContaining('CUDA'),
    });
  });
});
