import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encode } from '../../src/state/codec.ts';
import { openStateStore } from '../../src/state/files.ts';
import { runForm } from '../../src/state/forms.ts';
import type { StateStore } from '../../src/state/store.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { attachedOf, memoryOf, treeOf } from './values.ts';

const opened = async (): Promise<StateStore> => openStateStore(join(await temporaryDir(), 'state'));

describe('A state store', () => {
  it('gives back what was put in, also to the next process, sorted by id', async () => {
    const store = await opened();
    const run = gpuRun({ spec: gpuSpec({ env: { B: 'x', '2': 'y' }, tensor_split: [0.5, 0.5], cpu_affinity: 'gpu' }), startedMono: 12.345 });
    for (const id of ['b', 'a']) await store.memories.write(id, memoryOf(id));
    await store.runs.write('pool-0', run);
    await store.declared.write('pool-0', gpuSpec());
    await store.attached.write('c', attachedOf('c'));
    await store.trees.write('pool-0', treeOf('pool-0'));
    for (const again of [store, await openStateStore(store.dir)]) {
      expect(await again.memories.list()).toEqual({ values: [memoryOf('a'), memoryOf('b')], setAside: [], swept: [] });
      expect(await again.runs.read('pool-0')).toEqual(run);
      expect(await again.declared.read('pool-0')).toEqual(gpuSpec());
      expect(await again.attached.read('c')).toEqual(attachedOf('c'));
      expect(await again.trees.read('pool-0')).toEqual(treeOf('pool-0'));
    }
    await store.runs.remove('pool-0');
    await store.runs.remove('pool-0');
    expect([await store.runs.read('pool-0'), await store.runs.read('never')]).toEqual([null, null]);
  });

  it('knows every way an engine can be provisioned and every custom engine', async () => {
    const store = await opened();
    const specs = [
      gpuSpec({
        provisioning: { mode: 'binary', binary: { url: 'https://a', checksum: 'sha256:0', install_dir: null, executable: 'bin/llama-server' } },
      }),
      gpuSpec({
        provisioning: {
          mode: 'source',
          source: { repo: 'r', ref: 'v1', submodules: true, build: { cmake_flags: ['-D'], generator: null, cache_dir: null } },
        },
      }),
      gpuSpec({ provisioning: { mode: 'package', package: { lock: null, name: 'vllm', version: '1' } } }),
      gpuSpec({ provisioning: { mode: 'container', container: { image: 'i', digest: 'd', executable: null } } }),
      gpuSpec({
        engine: 'custom',
        devices: [0, 'GPU-0'],
        custom: { health_path: '/h', progress_path: '/p', in_flight: { path: '/m', metrics: ['a'] }, token: { path: '/t', body: '{}' } },
      }),
    ];
    for (const spec of specs) {
      await store.declared.write('pool-0', spec);
      expect(await store.declared.read('pool-0')).toEqual(spec);
    }
  });

  it('is closed to others, also where its folders were open', async () => {
    const store = await opened();
    await store.memories.write('a', memoryOf('a'));
    await chmod(join(store.dir, 'runs'), 0o777);
    await openStateStore(store.dir);
    const modeOf = async (...path: readonly string[]) => (await stat(join(store.dir, ...path))).mode & 0o777;
    expect([await modeOf(), await modeOf('runs'), await modeOf('pools'), await modeOf('corrupt')]).toEqual([0o700, 0o700, 0o700, 0o700]);
    expect(await modeOf('pools', 'a.json')).toBe(0o600);
  });

  it.each(['', '../runs/a', 'a/b', 'A', '.a', 'a.json', '-a', 'a'.repeat(64), '__proto__'])('takes no id like %j', async (id) => {
    const store = await opened();
    const failure = { reason: { code: 'state_store_failed', message: expect.stringContaining('expected a pool id') } };
    await expect(store.trees.read(id)).rejects.toMatchObject(failure);
    await expect(store.trees.remove(id)).rejects.toMatchObject(failure);
    await expect(store.trees.write(id, treeOf(id))).rejects.toMatchObject(failure);
    expect(await readdir(join(store.dir, 'trees'))).toEqual([]);
  });

  it('writes nothing that it could not read back', async () => {
    const store = await opened();
    await store.memories.write('a', memoryOf('a'));
    const failing = [
      store.memories.write('a', memoryOf('b')),
      store.memories.write('a', memoryOf('a', { restart: { count: Number.NaN, attempt: 0, startsMono: [], opened: 0 } })),
      store.runs.write('pool-0', gpuRun({ pid: 0 })),
      store.runs.write('pool-0', gpuRun({ spec: gpuSpec({ id: 'other' }) })),
      store.declared.write('pool-0', gpuSpec({ flags: Array.from({ length: 20 }, () => 'x'.repeat(60_000)) })),
    ];
    for (const one of failing) await expect(one).rejects.toMatchObject({ reason: { code: 'state_store_failed' } });
    expect(await store.memories.read('a')).toEqual(memoryOf('a'));
    expect([await readdir(join(store.dir, 'runs')), await readdir(join(store.dir, 'declared'))]).toEqual([[], []]);
  });

  it('never reorders the writes of one id: the latest wins, and settled waits for it', async () => {
    const store = await opened();
    const writes = Array.from({ length: 200 }, (_, count) =>
      count % 50 === 7 ? store.trees.remove('a') : store.trees.write('a', treeOf('a', { incarnation: `${count}` })),
    );
    const read = store.trees.read('a');
    void store.memories.write('b', memoryOf('b'));
    await store.settled();
    expect(await readdir(join(store.dir, 'pools'))).toEqual(['b.json']);
    expect([await read, await store.trees.read('a')]).toEqual([treeOf('a', { incarnation: '199' }), treeOf('a', { incarnation: '199' })]);
    await Promise.all(writes);
  });

  it('says so when its directory cannot be used, and when a folder is gone', async () => {
    const dir = await temporaryDir();
    await writeFile(join(dir, 'file'), '');
    await expect(openStateStore(join(dir, 'file'))).rejects.toMatchObject({
      reason: { code: 'state_store_failed', message: expect.stringContaining('POOL_MANAGERD_STATE_DIR') },
    });
    const store = await openStateStore(join(dir, 'state'));
    await rm(join(store.dir, 'runs'), { recursive: true });
    await expect(store.runs.list()).rejects.toMatchObject({ reason: { code: 'state_store_failed' } });
    await expect(store.runs.write('pool-0', gpuRun())).rejects.toMatchObject({ reason: { code: 'state_store_failed' } });
  });
});

describe('A file that cannot be used', () => {
  const put = async (store: StateStore, name: string, content: unknown): Promise<string> => {
    const path = join(store.dir, 'runs', name);
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const record = gpuRun();

  it.each([
    ['empty', ''],
    ['torn', JSON.stringify(record).slice(0, 200)],
    ['nothing but brackets', '['.repeat(500_000)],
    ['no object', '[1]'],
    ['without a version', { ...record, version: undefined }],
    ['of version 0', { ...record, version: 0 }],
    ['of another pool', gpuRun({ poolId: 'other' })],
    ['with the spec of another pool', gpuRun({ spec: gpuSpec({ id: 'other' }) })],
    ['with pid 0, which signals a whole group', gpuRun({ pid: 0 })],
    ['with pid -1, which signals everybody', gpuRun({ pid: -1 })],
    ['with a pid in words', { ...record, pid: '4711' }],
    ['with half a pid', gpuRun({ pid: 1.5 })],
    ['with a start time before the boot', gpuRun({ startTime: -1 })],
    ['with port 0', gpuRun({ port: 0 })],
    ['with port 65536', gpuRun({ port: 65_536 })],
    ['with an endpoint that is none', gpuRun({ endpoint: 'here' })],
    ['with an engine nobody knows', { ...record, engine: 'doom' }],
    ['with a launcher nobody knows', { ...record, launcher: 'sh' }],
    ['with a key too many', { ...record, run_as: 'root' }],
    ['with a key too many in its spec', { ...record, spec: { ...record.spec, sudo: true } }],
    ['with a prototype', JSON.stringify(record).replace('{', '{"__proto__":{"pid":1},')],
    ['with a spec whose flags are no list', { ...record, spec: { ...record.spec, flags: '--all' } }],
    ['with a checksum of something else', { ...record, sha256: 'f'.repeat(64) }],
    ['too large', `${JSON.stringify(record)}${' '.repeat(1024 * 1024)}`],
  ])('%s is set aside with the reason beside it, and the others are read', async (_what, content) => {
    const store = await opened();
    await store.runs.write('good', gpuRun({ poolId: 'good', spec: gpuSpec({ id: 'good' }) }));
    await put(store, 'pool-0.json', content);
    const found = await store.runs.list();
    expect(found.values.map(({ poolId }) => poolId)).toEqual(['good']);
    expect(found.setAside).toEqual([
      { id: 'pool-0', cause: { code: 'state_store_failed', message: expect.any(String), details: expect.anything() } },
    ]);
    const [kept, reason] = (await readdir(join(store.dir, 'corrupt'))).sort();
    expect([kept, reason]).toEqual([expect.stringMatching(/^\d+-runs-pool-0\.json$/), `${kept}.reason.txt`]);
    expect(await readFile(join(store.dir, 'corrupt', kept ?? ''), 'utf8')).toBe(typeof content === 'string' ? content : JSON.stringify(content));
    expect(found.setAside[0]?.cause.message).toContain((await readFile(join(store.dir, 'corrupt', reason ?? ''), 'utf8')).trim());
    expect((await store.runs.list()).setAside).toEqual([]);
  });

  it('of a newer version is set aside untouched, and what to do is said', async () => {
    const store = await opened();
    await put(store, 'pool-0.json', { version: 2, shape: 'of the future' });
    await expect(store.runs.read('pool-0')).rejects.toMatchObject({
      reason: { code: 'state_store_failed', message: expect.stringMatching(/version 1, found version 2, written by a newer pool-managerd/) },
    });
    expect(await store.runs.read('pool-0')).toBeNull();
    const [kept] = (await readdir(join(store.dir, 'corrupt'))).sort();
    expect(await readFile(join(store.dir, 'corrupt', kept ?? ''), 'utf8')).toBe('{"version":2,"shape":"of the future"}');
  });

  it('that is a link, a hard link or a directory is moved itself, and what it points to is not read', async () => {
    const store = await opened();
    const elsewhere = join(await temporaryDir(), 'record.json');
    await writeFile(elsewhere, JSON.stringify(record));
    await symlink(elsewhere, join(store.dir, 'runs', 'pool-0.json'));
    await link(elsewhere, join(store.dir, 'runs', 'pool-1.json'));
    await mkdir(join(store.dir, 'runs', 'pool-2.json'));
    const found = await store.runs.list();
    expect([found.values, found.setAside.map(({ id }) => id)]).toEqual([[], ['pool-0', 'pool-1', 'pool-2']]);
    expect(await readdir(join(store.dir, 'runs'))).toEqual([]);
    expect(await readFile(elsewhere, 'utf8')).toBe(JSON.stringify(record));
  });

  it('whose name is no pool id is set aside; what is no state file at all is left', async () => {
    const store = await opened();
    await put(store, `Grüße ${'x'.repeat(200)}.json`, record);
    for (const name of ['notes.txt', 'pool-0.json~', '.pool-0.json.swp']) await put(store, name, '');
    expect((await store.runs.list()).setAside).toMatchObject([{ id: null, cause: { message: expect.stringContaining('expected a pool id') } }]);
    expect((await readdir(join(store.dir, 'runs'))).sort()).toEqual(['.pool-0.json.swp', 'notes.txt', 'pool-0.json~']);
  });

  it('and cannot be moved either is left and named', async () => {
    const store = await opened();
    const path = await put(store, 'pool-0.json', 'damaged');
    await rename(join(store.dir, 'corrupt'), join(store.dir, 'away'));
    await writeFile(join(store.dir, 'corrupt'), 'in the way');
    const message = expect.stringContaining('could not be moved');
    expect((await store.runs.list()).setAside).toMatchObject([{ id: 'pool-0', cause: { message } }]);
    expect(await readFile(path, 'utf8')).toBe('damaged');
  });

  it('is one of the last hundred kept', async () => {
    const store = await opened();
    for (let count = 0; count < 105; count += 1) await put(store, `p${count}.json`, 'damaged');
    expect((await store.runs.list()).setAside).toHaveLength(105);
    await put(store, 'last.json', 'damaged');
    await store.runs.list();
    const kept = await readdir(join(store.dir, 'corrupt'));
    expect(kept).toHaveLength(200);
    expect(kept.filter((name) => name.includes('last.json'))).toHaveLength(2);
  });
});

it('A record with a bit flipped, at every byte, is set aside or as it was, and reading goes on', async () => {
  const store = await opened();
  const recordOf = (id: string) => gpuRun({ poolId: id, spec: gpuSpec({ id }) });
  const bytesOf = (id: string): Buffer => Buffer.from(encode(runForm, id, recordOf(id)));
  const { length } = bytesOf('p10000');
  await Promise.all(
    Array.from({ length }, async (_, offset) => {
      const id = `p${10_000 + offset}`;
      const damaged = bytesOf(id);
      damaged[offset] = (damaged[offset] ?? 0) ^ (1 << (offset % 8));
      await writeFile(join(store.dir, 'runs', `${id}.json`), damaged);
    }),
  );
  const found = await store.runs.list();
  for (const value of found.values) expect(value).toEqual(recordOf(value.poolId));
  expect(found.values.length + found.setAside.length).toBe(length);
  expect(found.setAside.length).toBeGreaterThan(length - 10);
});
