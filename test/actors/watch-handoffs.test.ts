import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createActor, setup, toPromise } from 'xstate';
import { announceHandoff } from '../../src/actors/announce-handoff.ts';
import { deleteConsumed, setAside } from '../../src/actors/handoff/dispose.ts';
import { identityOf } from '../../src/actors/handoff/identity.ts';
import { watchHandoffs } from '../../src/actors/watch-handoffs.ts';
import type { HandoffEvent } from '../../src/machines/events.ts';
import type { HandoffOutcome } from '../../src/machines/vocabulary.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const documented = { pool_id: 'pool-0', engine: 'llamacpp', endpoint: 'http://localhost:8081', gpu_device: 0, slots: 4, ready: true };

const put = async (dir: string, name: string, content: unknown): Promise<void> => {
  await writeFile(join(dir, `.${name}.tmp`), typeof content === 'string' ? content : JSON.stringify(content));
  await rename(join(dir, `.${name}.tmp`), join(dir, name));
};

const watching = async ({ dir, intervalMs = 40, autoDelete = true }: { dir?: string; intervalMs?: number; autoDelete?: boolean } = {}) => {
  const runtimeDir = dir ?? (await temporaryDir());
  const events: (HandoffEvent & { readonly seenAt: number })[] = [];
  const logic = watchHandoffs({ runtimeDir, intervalMs, autoDelete, rules: { allowedHosts: [] } });
  const parent = setup({ actors: { watch: logic } }).createMachine({
    invoke: { id: 'watch', src: 'watch', input: {} },
    on: { '*': { actions: ({ event }) => events.push({ ...(event as unknown as HandoffEvent), seenAt: performance.now() }) } },
  });
  const actor = createActor(parent).start();
  onTestFinished(() => void actor.stop());
  return {
    dir: runtimeDir,
    events,
    appeared: () => events.flatMap((event) => (event.type === 'handoff.appeared' ? [event.handoff] : [])),
    rejected: () => events.flatMap((event) => (event.type === 'handoff.rejected' ? [event] : [])),
    settle: (file: string, outcome: HandoffOutcome) => actor.getSnapshot().children['watch']?.send({ type: 'handoff.settled', file, outcome }),
    stop: () => actor.stop(),
  };
};

/** Another file, put afterwards and seen: what was to be seen before it was seen or never will be. */
const afterOneMore = async ({ dir, appeared }: { dir: string; appeared: () => readonly { file: string }[] }, name = 'later.json') => {
  await put(dir, name, documented);
  await until(`${name} to be seen`, () => appeared().some((handoff) => handoff.file === name));
};

describe('A handoff file', () => {
  it('that is there already is seen, and one that comes is seen within milliseconds, not at the next rescan', async () => {
    const dir = await temporaryDir();
    await put(dir, 'pool-0-r0.json', documented);
    const watch = await watching({ dir, intervalMs: 60_000 });
    expect(await until('the first', () => watch.appeared()[0])).toMatchObject({
      file: 'pool-0-r0.json',
      poolId: 'pool-0',
      replicaId: 'r0',
      endpoint: 'http://127.0.0.1:8081',
      devices: [0],
      slotsTotal: 4,
      ready: true,
      incarnation: null,
    });
    const latencies: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const begun = performance.now();
      await put(dir, `p${count}.json`, documented);
      const event = await until('the event', () => watch.events[count + 1]);
      latencies.push(event.seenAt - begun);
    }
    // A machine with other work to do can only add to what it takes; the next rescan is a minute away.
    expect(Math.min(...latencies)).toBeLessThan(20);
    expect(Math.max(...latencies)).toBeLessThan(5_000);
  });

  it('is deleted once consumed, and only then', async () => {
    const watch = await watching();
    for (const outcome of ['accepted', 'attached', 'not_ready', 'ignored', 'stale'] as const)
      await put(watch.dir, `${outcome.replace('_', '-')}.json`, documented);
    await until('five events', () => watch.events.length === 5);
    for (const outcome of ['accepted', 'attached', 'not_ready', 'ignored', 'stale'] as const)
      watch.settle(`${outcome.replace('_', '-')}.json`, outcome);
    await until('three deletions', async () => (await readdir(watch.dir)).sort().join() === 'ignored.json,stale.json');
    await afterOneMore(watch);
    expect(watch.events).toHaveLength(6);
  });

  it('is kept where deleting is off, and read again only when it changed', async () => {
    const watch = await watching({ autoDelete: false });
    await put(watch.dir, 'a.json', documented);
    await until('the event', () => watch.events.length === 1);
    watch.settle('a.json', 'accepted');
    await afterOneMore(watch);
    expect(watch.appeared().map((handoff) => handoff.file)).toEqual(['a.json', 'later.json']);
    await put(watch.dir, 'a.json', { ...documented, ready: false });
    expect(await until('the change', () => watch.appeared()[2])).toMatchObject({ file: 'a.json', ready: false });
  });

  it('replaced before it was consumed is seen again all the same', async () => {
    const watch = await watching();
    await put(watch.dir, 'a.json', documented);
    await until('the event', () => watch.events.length === 1);
    await put(watch.dir, 'a.json', { ...documented, slots: 5 });
    await until('the second', () => watch.events.length === 2);
    await put(watch.dir, 'a.json', { ...documented, slots: 6 });
    watch.settle('a.json', 'accepted');
    expect((await until('the third', () => watch.appeared()[2])).slotsTotal).toBe(6);
  });

  it.each([
    ['an endpoint elsewhere', { ...documented, endpoint: 'http://169.254.169.254:80' }, /ALLOWED_HOSTS/],
    ['no endpoint', { pool_id: 'a' }, /expected an endpoint/],
    ['a pool id that climbs', { ...documented, pool_id: '../x' }, /pool_id/],
    ['a list', [1], /expected an endpoint/],
    ['more than 64 KiB', JSON.stringify({ ...documented, junk: 'x'.repeat(70_000) }), /65536|64 KiB/],
  ])('with %s is set aside with the reason beside it, said once', async (_what, content, why) => {
    const watch = await watching();
    await put(watch.dir, 'bad.json', content);
    expect((await until('the rejection', () => watch.rejected()[0])).message).toMatch(why);
    expect(await readFile(join(watch.dir, 'rejected', 'bad.json.reason.txt'), 'utf8')).toMatch(why);
    expect(await readdir(watch.dir)).toEqual(['rejected']);
    await afterOneMore(watch);
    expect(watch.rejected()).toHaveLength(1);
  });

  it('half written is waited for, and given up when it stays so', async () => {
    const watch = await watching();
    await writeFile(join(watch.dir, 'slow.json'), '{"pool_id":');
    await writeFile(join(watch.dir, 'torn.json'), '');
    await afterOneMore(watch);
    await writeFile(join(watch.dir, 'slow.json'), JSON.stringify(documented));
    await until('the slow one', () => watch.appeared().some((handoff) => handoff.file === 'slow.json'));
    expect(await until('the torn one', () => watch.rejected()[0])).toMatchObject({ file: 'torn.json', message: expect.stringContaining('JSON') });
    expect(watch.rejected()).toHaveLength(1);
  });

  it("that is no handoff is left alone: dotfiles, backups, folders, a provisioner's note", async () => {
    const watch = await watching();
    await mkdir(join(watch.dir, 'folder.json'));
    await writeFile(join(watch.dir, '.hidden.json'), 'x');
    await writeFile(join(watch.dir, 'backup.json~'), 'x');
    await writeFile(join(watch.dir, 'notes.txt'), 'x');
    await put(watch.dir, 'model.json', { model: { id: 'm' }, metadata: { bytes: 1 } });
    await afterOneMore(watch);
    expect(watch.events).toHaveLength(1);
    expect((await readdir(watch.dir)).length).toBe(6);
  });

  it('that is a link to something else is never read', async () => {
    const watch = await watching();
    const secret = join(await temporaryDir(), 'secret.json');
    await writeFile(secret, JSON.stringify(documented));
    await symlink(secret, join(watch.dir, 'soft.json'));
    await link(secret, join(watch.dir, 'hard.json'));
    await until('both rejected', () => watch.rejected().length === 2);
    expect(watch.appeared()).toEqual([]);
    expect(await readFile(secret, 'utf8')).toBe(JSON.stringify(documented));
  });
});

describe('The runtime directory', () => {
  it('may be missing, removed and made again', async () => {
    const dir = join(await temporaryDir(), 'not', 'yet');
    const watch = await watching({ dir });
    await until('the directory', () => existsSync(dir));
    for (const name of ['a.json', 'b.json']) {
      await put(dir, name, documented);
      await until(name, () => watch.appeared().some((handoff) => handoff.file === name));
      await rm(dir, { recursive: true });
      await mkdir(dir, { recursive: true });
    }
    await afterOneMore(watch);
    expect(watch.rejected()).toEqual([]);
  });

  it('that cannot be read is said once and survived', async () => {
    const dir = join(await temporaryDir(), 'file');
    await writeFile(dir, 'not a directory');
    const watch = await watching({ dir });
    expect(await until('the trouble', () => watch.rejected()[0])).toMatchObject({ file: '.', message: expect.stringContaining('ENOTDIR') });
    await rm(dir);
    await until('the directory', () => existsSync(dir));
    await afterOneMore(watch);
    expect(watch.rejected()).toHaveLength(1);
  });

  it('filled with thousands of files at once has every one seen', async () => {
    const watch = await watching();
    const content = JSON.stringify(documented);
    const names = Array.from({ length: 3_000 }, (_, index) => `p${index}.json`);
    for (let at = 0; at < names.length; at += 100) await Promise.all(names.slice(at, at + 100).map((name) => put(watch.dir, name, content)));
    await until('all of them', () => new Set(watch.appeared().map((handoff) => handoff.file)).size === names.length, 10_000);
    expect(watch.events).toHaveLength(names.length);
  });
});

it('A stopped watch says no more', async () => {
  const watch = await watching();
  const other = await watching({ dir: watch.dir, autoDelete: false });
  watch.stop();
  await afterOneMore(other);
  expect(watch.events).toEqual([]);
});

it('A consumed file replaced in the very moment of its deletion is never lost', async () => {
  const dir = await temporaryDir();
  const path = join(dir, 'a.json');
  for (let round = 0; round < 200; round += 1) {
    await put(dir, 'a.json', `old ${round}`);
    const identity = (await identityOf(path)) ?? '';
    const deleting = deleteConsumed(dir, 'a.json', identity);
    for (let wait = round % 6; wait > 0; wait -= 1) await turn();
    await put(dir, 'a.json', `a newer one ${round}`);
    await deleting;
    expect(await readFile(path, 'utf8')).toBe(`a newer one ${round}`);
  }
});

it('A file replaced in the very moment in which it is set aside is never taken for the bad one', async () => {
  const dir = await temporaryDir();
  const path = join(dir, 'a.json');
  for (let round = 0; round < 200; round += 1) {
    await put(dir, 'a.json', `bad ${round}`);
    const identity = (await identityOf(path)) ?? '';
    const aside = setAside(dir, 'a.json', identity, 'bad');
    for (let wait = round % 6; wait > 0; wait -= 1) await turn();
    await put(dir, 'a.json', `a newer one ${round}`);
    await aside;
    expect(await readFile(path, 'utf8')).toBe(`a newer one ${round}`);
  }
});

it('The same size and another time is another content', async () => {
  const path = join(await temporaryDir(), 'a.json');
  await writeFile(path, 'same');
  const before = await identityOf(path);
  await utimes(path, 1, 1);
  const after = await identityOf(path);
  await truncate(path, 3);
  expect(new Set([before, after, await identityOf(path)]).size).toBe(3);
});

it('The handoff of our own engine is written, seen and says whose it is', async () => {
  const watch = await watching();
  const run = gpuRun({ gpus: [{ index: 2, uuid: 'GPU-2' }], engineVersion: '0.7.0' });
  await toPromise(createActor(announceHandoff({ runtimeDir: watch.dir }), { input: { run } }).start());
  expect(await until('the handoff', () => watch.appeared()[0])).toEqual({
    file: 'pool-0-r0.json',
    poolId: 'pool-0',
    replicaId: 'r0',
    engine: 'llamacpp',
    engineVersion: '0.7.0',
    endpoint: run.endpoint,
    devices: [2],
    slotsTotal: run.spec.slots,
    ready: true,
    modelId: null,
    pid: run.pid,
    pidStartTime: run.startTime,
    incarnation: run.incarnation,
  });
  expect(JSON.parse(await readFile(join(watch.dir, 'pool-0-r0.json'), 'utf8'))).toMatchObject({
    pool_id: 'pool-0',
    gpu_device: 2,
    slots: 1,
    device_mask: '2',
    slots_total: 1,
  });
});

it('A handoff that cannot be written is a failure with a cause', async () => {
  const file = join(await temporaryDir(), 'file');
  await writeFile(file, '');
  const failing = toPromise(createActor(announceHandoff({ runtimeDir: join(file, 'dir') }), { input: { run: gpuRun() } }).start());
  await expect(failing).rejects.toMatchObject({ cause: { code: 'state_store_failed' }, mono: expect.any(Number) });
});
