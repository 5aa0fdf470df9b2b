/**
 * Engines in containers, by stand-ins for podman and docker that run real processes: pulled by digest, started behind a gate, adopted,
 * ended wholly. Real runtimes were not asked: none runs where these tests do.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { containerLauncher, sweepContainers } from '../../src/actors/launch/container.ts';
import type { Launcher, RunFacts } from '../../src/actors/launcher.ts';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import type { EngineExit, PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';
import { bootId } from '../../src/os/boot-id.ts';
import { isAlive } from '../../src/os/proc-stat.ts';
import { processLooker } from '../../src/os/process-table.ts';
import { createInstallImage, type WantedContainer } from '../../src/provisioning/container/install-image.ts';
import { type Containers, openContainers } from '../../src/provisioning/container/runtime.ts';
import { listEngines } from '../../src/provisioning/engines/record.ts';
import { storePaths } from '../../src/provisioning/store/paths.ts';
import { type StandInRuntime, standInRuntimes } from '../kit/containers.ts';
import { type Daemon, daemonHouse, type House } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { customSpec, engineHouse, fixtureEngine } from '../kit/engine-house.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun } from '../kit/gpu-facts.ts';
import { passenger } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

const pathWith = (bin: string): string => `${bin}:/usr/local/bin:/usr/bin:/bin`;
const containersOf = (runtime: StandInRuntime): Containers => openContainers({ env: { PATH: pathWith(runtime.bin) }, deadlineMs: 20_000 });

describe('an engine that comes as an image', () => {
  const house = async (names?: readonly ('podman' | 'docker')[]) => {
    const dir = await temporaryDir();
    const runtime = standInRuntimes(dir, names);
    const executable = await writeStubExecutable(join(dir, 'bin'));
    const paths = storePaths(join(dir, 'cache'));
    const installer = (simulated = true, containers: Containers | null = containersOf(runtime)) =>
      createInstallImage({ paths, simulated, containers });
    const wanted = (image: { readonly reference: string; readonly digest: string }, facts: Partial<WantedContainer> = {}): WantedContainer => ({
      engine: 'llamacpp',
      image: image.reference.split('@')[0] ?? '',
      digest: image.digest,
      executable: null,
      ...facts,
    });
    return { dir, runtime, executable, paths, installer, wanted };
  };
  const pulls = (runtime: StandInRuntime): number => runtime.calls().filter(([, command]) => command === 'pull').length;

  it('is pulled by its digest, asked inside what it can do, and remembered', async () => {
    const { runtime, executable, paths, installer, wanted } = await house();
    const image = runtime.put('registry.test/llama', [executable]);
    const listener = passenger();
    const present = await installer()(wanted(image, { image: 'registry.test/llama:server-cuda' }), listener);
    expect(present.executable).toBe(executable);
    expect(present.version).toMatch(/stub/);
    expect(present.knownFlags).toContain('--port');
    expect(listener.phases).toEqual(['fetching', 'building']);
    expect(runtime.calls().find(([, command]) => command === 'pull')).toEqual(['podman', 'pull', '--quiet', image.reference]);
    const [record] = await listEngines(paths.engines);
    expect(record).toMatchObject({ from: `podman:${image.reference}`, checksum: image.digest, files: [] });
    expect(readFileSync(paths.provenance, 'utf8')).toContain(image.digest);

    const again = passenger();
    expect(await installer()(wanted(image), again)).toEqual(present);
    expect(again.phases, 'nothing is done twice').toEqual([]);
    expect(pulls(runtime)).toBe(1);
  });

  it('is run by docker where podman does not answer, and refused where neither does, with what each said', async () => {
    const { runtime, executable, paths, installer, wanted } = await house();
    const image = runtime.put('registry.test/llama', [executable]);
    runtime.say('podman-down', '');
    await installer()(wanted(image), passenger());
    expect((await listEngines(paths.engines))[0]?.from).toBe(`docker:${image.reference}`);
    runtime.say('docker-down', '');
    await expect(installer()(wanted(image), passenger())).rejects.toMatchObject({
      reason: { code: 'engine_missing', message: expect.stringMatching(/podman: .*cannot connect to podman.*docker: .*cannot connect to docker/s) },
    });
    const none = await house([]);
    const nowhere = openContainers({ env: { PATH: none.runtime.bin } });
    await expect(none.installer(true, nowhere)(wanted(image), passenger())).rejects.toMatchObject({
      reason: { code: 'engine_missing', message: expect.stringMatching(/no podman on the PATH.*no docker on the PATH/) },
    });
  });

  it('is refused where engines are units of systemd', async () => {
    const { runtime, executable, installer, wanted } = await house();
    await expect(installer(true, null)(wanted(runtime.put('registry.test/llama', [executable])), passenger())).rejects.toMatchObject({
      reason: { code: 'engine_incompatible', message: expect.stringContaining('POOL_MANAGERD_LAUNCHER=detached') },
    });
  });

  it('is refused without CUDA, and without the list of cards, unless the GPUs are simulated', async () => {
    const { dir, runtime, executable, installer, wanted } = await house();
    const image = runtime.put('registry.test/llama', [executable]);
    await expect(installer(false)(wanted(image), passenger())).rejects.toMatchObject({
      reason: {
        code: 'engine_incompatible',
        message: expect.stringMatching(/unresolvable CDI devices nvidia.com\/gpu=all.*nvidia-ctk cdi generate/),
      },
    });
    runtime.say('cdi', 'nvidia.com/gpu=all');
    await expect(installer(false)(wanted(image), passenger())).rejects.toMatchObject({ reason: { code: 'engine_incompatible' } });
    const cuda = join(dir, 'llama-server');
    await writeFile(
      cuda,
      '#!/bin/sh\ncase $1 in --list-devices) printf "Available devices:\\n  CUDA0: NVIDIA H200 (143771 MiB, 143000 MiB free)\\n" ;; --version) echo "version: 7000 (abc)" >&2 ;; *) echo "--port N" ;; esac\n',
      {
        mode: 0o755,
      },
    );
    const withCuda = await installer(false)(wanted(runtime.put('registry.test/cuda', [cuda])), passenger());
    expect(withCuda.version).toContain('7000');
  });

  it.each([
    ['denied: requested access to the resource is denied', 'download_unauthorized'],
    ['pinging container registry: dial tcp 10.0.0.1:443: connect: connection refused', 'download_unreachable'],
    ['writing blob: write /var/lib/x: no space left on device', 'disk_full'],
    ['the registry had a bad day', 'download_failed'],
  ])('that cannot be pulled, %s, is %s', async (words, code) => {
    const { runtime, executable, installer, wanted } = await house(['podman']);
    runtime.say('pull-fails', words);
    await expect(installer()(wanted(runtime.put('registry.test/llama', [executable])), passenger())).rejects.toMatchObject({
      reason: { code, message: expect.stringContaining(words) },
    });
  });

  it('of another digest than was asked for is refused, and one that is not there is missing', async () => {
    const { runtime, executable, installer, wanted } = await house(['podman']);
    const other = runtime.put('registry.test/other', [executable], { told: `registry.test/other@sha256:${'0'.repeat(64)}` });
    await expect(installer()(wanted(other), passenger())).rejects.toMatchObject({ reason: { code: 'digest_mismatch' } });
    const nowhere = { reference: `registry.test/no@sha256:${'1'.repeat(64)}`, digest: `sha256:${'1'.repeat(64)}` };
    await expect(installer()(wanted(nowhere), passenger())).rejects.toMatchObject({ reason: { code: 'engine_missing' } });
  });
});

const options = { signal: 'SIGTERM', graceMs: 3_000, killWaitMs: 5_000 } as const;

/** A daemon's way with containers, without the daemon. Opened twice on one folder it is a daemon and the next one. */
const launchHouse = async (folder?: string) => {
  const house = await engineHouse(folder);
  const runtime = standInRuntimes(house.dir, ['podman']);
  const containers = containersOf(runtime);
  const launcher: Launcher = containerLauncher({
    stateDir: house.state.dir,
    containers,
    runs: house.state.runs,
    trees: house.trees,
    look: processLooker(),
    bootId: bootId(),
  });
  const image = runtime.put('registry.test/engine', null);
  runtime.say('cdi', 'nvidia.com/gpu=GPU-0');
  const [name = ''] = image.reference.split('@');
  await containers.find().then((found) => found.call(['pull', image.reference]));
  onTestFinished(async () => {
    for (const run of (await house.state.runs.list()).values) await launcher.stop(run, { ...options, graceMs: 0 });
  });
  const factsOf = async (incarnation: string, changes: Partial<PoolSpec> = {}): Promise<RunFacts> => {
    const spec = customSpec({ provisioning: { mode: 'container', container: { image: name, digest: image.digest, executable: null } }, ...changes });
    const {
      pid: _p,
      startTime: _s,
      launcher: _l,
      exitFifo: _e,
      startedAt: _a,
      startedMono: _m,
      unit: _u,
      invocationId: _i,
      ...facts
    } = gpuRun({
      spec,
      engine: 'custom',
      incarnation,
      bootId: bootId(),
      gpus: [{ index: 0, uuid: 'GPU-0' }],
      model: { id: 'm', path: null, bytes: null },
      logFile: await house.createLog('pool-0', incarnation),
    });
    return facts;
  };
  const start = async (program: string, argv: readonly string[] = [], facts?: RunFacts): Promise<RunRecord> =>
    launcher.start(
      { executable: fixtureEngine(program), argv, env: { PATH: '/nowhere', HOME: '/root', CUDA_VISIBLE_DEVICES: 'GPU-0' } },
      facts ?? (await factsOf('a1')),
    );
  return { ...house, runtime, containers, launcher, factsOf, start };
};

const text = (path: string): string | null => (existsSync(path) && readFileSync(path, 'utf8') !== '' ? readFileSync(path, 'utf8') : null);
const berths = (stateDir: string): readonly string[] => (existsSync(join(stateDir, 'containers')) ? readdirSync(join(stateDir, 'containers')) : []);

describe('a container', () => {
  it('has its record before its engine begins, its own environment, its card, and no rights', async () => {
    const house = await launchHouse();
    const [record, copy] = [join(house.state.dir, 'runs', 'pool-0.json'), join(house.dir, 'copy')];
    const run = await house.start('tells-record', [record, copy]);
    const seen = JSON.parse(await until('the engine to tell', () => text(copy)));
    expect(seen).toMatchObject({ pid: run.pid, incarnation: 'a1', launcher: 'container' });
    const [container] = house.runtime.containers();
    expect(container).toMatchObject({ id: run.invocationId, pid: run.pid, name: 'pool-managerd-pool-0-a1', env: { CUDA_VISIBLE_DEVICES: 'GPU-0' } });
    expect(run.unit).toBe('podman:pool-managerd-pool-0-a1');
    expect(container?.env, 'no PATH and no HOME of this machine').toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-0', HOME: '/tmp', USER: 'engine' });
    expect(container?.flags).toMatchObject({
      '--device': ['nvidia.com/gpu=GPU-0'],
      '--network': ['host'],
      '--cap-drop': ['ALL'],
      '--init': true,
      '--pull': ['never'],
    });
  });

  it('is kept to the CPUs of its cards by its runtime', async () => {
    const house = await launchHouse();
    const plan = { executable: fixtureEngine('never-listens'), argv: [], env: {}, cpus: [0, 2] };
    await house.launcher.start(plan, await house.factsOf('a1'));
    expect(house.runtime.containers()[0]?.flags).toMatchObject({ '--cpuset-cpus': ['0,2'] });
  });

  it('is adopted by the next daemon, and ended by it as by its own', async () => {
    const house = await launchHouse();
    const run = await house.start('never-listens');
    const next = await launchHouse(house.dir);
    expect(await next.launcher.identify(run)).toBe('ours');
    const exit = new Promise<EngineExit>((resolve) => onTestFinished(next.launcher.watch(run, resolve)));
    const outcome = await next.launcher.stop(run, options);
    expect(outcome).toMatchObject({ survivors: [], killed: false });
    await next.launcher.forget(run);
    expect(isAlive(run)).toBe(false);
    expect(await next.launcher.identify(run)).toBe('gone');
    expect(await exit).toBeDefined();
    expect(house.runtime.containers()).toEqual([]);
    expect(berths(house.state.dir)).toEqual([]);
  });

  it('that does not hear TERM is killed with all that is in it, and one whose runtime does nothing is killed all the same', async () => {
    const house = await launchHouse();
    const run = await house.start('ignores-sigterm');
    await until('the engine to run', () => text(run.logFile) !== null || house.runtime.containers()[0]?.isRunning);
    const members = await house.trees.membersOf(run, 'now');
    expect(members.length, 'init and the engine').toBeGreaterThan(1);
    const outcome = await house.launcher.stop(run, { ...options, graceMs: 300 });
    expect(outcome).toMatchObject({ survivors: [], killed: true });
    expect(members.filter(isAlive)).toEqual([]);
    await house.launcher.forget(run);
    await house.state.runs.remove('pool-0');

    house.runtime.say('kill-does-nothing', '');
    const wedged = await house.start('never-listens', [], await house.factsOf('a2'));
    expect(await house.launcher.stop(wedged, { ...options, graceMs: 100 })).toMatchObject({ survivors: [], killed: true });
    expect(isAlive(wedged)).toBe(false);
  });

  it('that ends says how', async () => {
    const house = await launchHouse();
    const run = await house.launcher.start({ executable: '/bin/sh', argv: ['-c', 'echo last words; exit 7'], env: {} }, await house.factsOf('a1'));
    const exit = await new Promise<EngineExit>((resolve) => onTestFinished(house.launcher.watch(run, resolve)));
    expect(exit).toEqual({ code: 7, signal: null });
    expect(text(run.logFile)).toBe('last words\n');
  });

  it.each([
    ['there is no such program in it', '/nowhere/engine', {}, null],
    ['it cannot be created', '/bin/sh', { gpus: [{ index: 1, uuid: 'GPU-1' }] }, /unresolvable CDI devices.*nvidia-ctk cdi generate/],
    ['it cannot be started', '/bin/sh', {}, /the OCI runtime is ill/],
  ] as const)('leaves nothing where %s', async (what, executable, changes, message) => {
    const house = await launchHouse();
    if (what === 'it cannot be started') house.runtime.say('start-fails', 'the OCI runtime is ill');
    const starting = house.launcher.start({ executable, argv: [], env: {} }, { ...(await house.factsOf('a1')), ...changes });
    if (message === null) {
      const run = await starting;
      const exit = await new Promise<EngineExit>((resolve) => onTestFinished(house.launcher.watch(run, resolve)));
      expect(exit.code).toBe(127);
      expect(text(run.logFile)).toMatch(/^pool-managerd-launch:/);
      return;
    }
    await expect(starting).rejects.toMatchObject({ reason: { code: 'engine_exited', message: expect.stringMatching(message) } });
    expect(house.runtime.containers()).toEqual([]);
    expect(berths(house.state.dir)).toEqual([]);
    expect(await house.state.runs.read('pool-0')).toBeNull();
  });

  it('that no record names is found by the next daemon and removed; those of others are left', async () => {
    const house = await launchHouse();
    const stray = await house.start('never-listens');
    await house.state.runs.remove('pool-0');
    const kept = await house.start('never-listens', [], await house.factsOf('a2'));
    expect(await sweepContainers(house.state.dir, [kept], house.containers)).toEqual(['pool-managerd-pool-0-a1']);
    expect([isAlive(stray), isAlive(kept)]).toEqual([false, true]);
    expect(berths(house.state.dir)).toEqual(['pool-0.a2']);
    expect(house.runtime.containers().map(({ name }) => name)).toEqual(['pool-managerd-pool-0-a2']);
  });

  it('reads its model, what that links to, and its key, and nothing else', async () => {
    const house = await launchHouse();
    const [blobs, snapshot] = [join(house.dir, 'repo', 'blobs'), join(house.dir, 'repo', 'snapshots', 'abc')];
    for (const dir of [blobs, snapshot]) await mkdir(dir, { recursive: true });
    await writeFile(join(blobs, 'b1'), 'weights');
    await symlink('../../blobs/b1', join(snapshot, 'model.safetensors'));
    await writeFile(join(house.dir, 'key'), 'secret');
    const facts = await house.factsOf('a1', { api_key_file: join(house.dir, 'key') });
    await expect(house.start('never-listens', [], { ...facts, incarnation: 'a3', model: { id: 'm', path: '/a,b', bytes: null } })).rejects.toThrow();
    await house.start('never-listens', [], { ...facts, model: { id: 'm', path: snapshot, bytes: null } });
    const mounts = house.runtime.containers()[0]?.flags['--mount'];
    const berth = join(house.state.dir, 'containers', 'pool-0.a1');
    expect(mounts).toEqual([
      ...[snapshot, blobs, join(house.dir, 'key'), join(berth, 'go')].map((path) => `type=bind,source=${path},target=${path},readonly`),
      `type=bind,source=${facts.logFile},target=${facts.logFile}`,
    ]);
  });
});

describe('a pool in a container', { timeout: 120_000 }, () => {
  const poolIn = async (t: TestContext): Promise<{ readonly house: House; readonly runtime: StandInRuntime; readonly daemon: Daemon }> => {
    const dir = await temporaryDir();
    const house = await daemonHouse(t);
    const runtime = standInRuntimes(house.dir, ['podman']);
    const image = runtime.put('registry.test/llama', [await writeStubExecutable(join(dir, 'bin'))]);
    const container = { image: 'registry.test/llama', digest: image.digest };
    await house.declare([house.stub('pool-0', { provisioning: { mode: 'container', container } })]);
    const daemon = await house.start({ PATH: pathWith(runtime.bin) });
    return { house, runtime, daemon };
  };

  it('becomes ready, keeps its engine over a kill of the daemon, and leaves nothing after a drain', async (t) => {
    const { house, runtime, daemon } = await poolIn(t);
    await daemon.ready('pool-0');
    const [before] = runtime.containers();
    await daemon.end('SIGKILL');
    const next = await house.start({ PATH: pathWith(runtime.bin) });
    const [ready] = await next.ready('pool-0');
    expect(ready?.restarts).toBe(0);
    expect(runtime.containers()).toEqual([before]);

    await next.ask('POST', '/v2/pools/pool-0/drain', {});
    await next.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    expect(runtime.containers()).toEqual([]);
    expect(house.left()).toEqual([]);
    expect((await next.gpus()).map(({ memory_reserved_bytes: bytes }) => bytes)).toEqual([0, 0]);
    expect(berths(house.stateDir)).toEqual([]);
  });

  it('is started again in another container when its engine ends', async (t) => {
    const { house, runtime, daemon } = await poolIn(t);
    await daemon.ready('pool-0');
    const before = house.run('pool-0');
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await asking('another engine', () => (house.run('pool-0')?.pid ?? before?.pid) !== before?.pid);
    const [ready] = await daemon.ready('pool-0');
    expect(ready?.restarts).toBe(1);
    expect(runtime.containers()).toHaveLength(1);
    expect(runtime.containers()[0]?.pid).toBe(house.run('pool-0')?.pid);
  });
});
