/** A model at a URL comes to be a file, through everything that a server, a network and a disk do to it on the way. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext, vi } from 'vitest';
import { presentModel } from '../../src/provisioning/models/ensure.ts';
import type { WantedModel } from '../../src/provisioning/models/wanted.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { type FileServer, fileServer, sha256Of, type Turn } from '../kit/file-server.ts';
import { passenger, type TestStore, testStore, wantedModel } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

const mayMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;

const content = randomBytes(600_000);
const half = 300_000;

interface Case {
  readonly server: FileServer;
  readonly store: TestStore;
  readonly url: string;
  readonly wanted: WantedModel;
}

const begin = async (
  context: Pick<TestContext, 'onTestFinished'>,
  script: readonly Turn[] = [],
  changes: Partial<WantedModel> & { readonly etag?: string | null } = {},
): Promise<Case> => {
  const server = await fileServer(context);
  const { etag, ...rest } = changes;
  const url = server.put('/m/tiny.gguf', { content, script, ...(etag === undefined ? {} : { etag }) });
  const wanted = wantedModel({ reference: url, checksum: `sha256:${sha256Of(content)}`, ...rest });
  return { server, store: await testStore(), url, wanted };
};

/** Every file below the store that is not of its own records. */
const finals = ({ paths }: TestStore): readonly string[] =>
  existsSync(paths.models)
    ? readdirSync(paths.models, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
    : [];
const parts = ({ paths }: TestStore): readonly string[] =>
  existsSync(paths.parts) ? readdirSync(paths.parts).filter((name) => !name.endsWith('.json')) : [];
const partSize = (store: TestStore): number => parts(store).reduce((sum, name) => sum + statSync(join(store.paths.parts, name)).size, 0);
const failure = async (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );

describe('a model at a URL', () => {
  it('is fetched, verified, and found without a network from then on', async (context) => {
    const { server, store, wanted, url } = await begin(context);
    const listener = passenger();
    const path = await store.find(wanted, listener);
    expect(path).toMatch(/\/models\/sha256-[0-9a-f]{32}\/tiny\.gguf$/);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(listener.phases).toEqual(['fetching', 'verifying']);
    expect(listener.progress.at(-1)).toEqual([content.length, content.length]);
    expect(server.asked).toEqual([
      { method: 'GET', path: '/m/tiny.gguf', range: null, ifRange: null, authorization: null, acceptEncoding: 'identity' },
    ]);
    expect(parts(store)).toEqual([]);
    const lines = readFileSync(store.paths.provenance, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { action: 'fetched', what: 'model', from: url, bytes: content.length, digests: [`sha256:${sha256Of(content)}`] },
    ]);
    await server.close();
    const again = await testStore(undefined, store.paths.root);
    expect(await again.find(wanted, passenger())).toBe(path);
  });

  it('without a checksum is what the server sent, kept by its URL, and its query is told nowhere', async (context) => {
    const { server, store, wanted } = await begin(context, [{ kind: 'chunked' }], { checksum: null });
    const path = await store.find({ ...wanted, reference: `${server.url}/m/tiny.gguf?signature=secret` }, passenger());
    expect(readFileSync(path).equals(content)).toBe(true);
    const told = [store.paths.provenance, ...readdirSync(store.paths.modelRecords).map((name) => join(store.paths.modelRecords, name))];
    for (const file of told) expect(readFileSync(file, 'utf8')).not.toContain('secret');
  });

  it('comes through a proxy where the usual variables name one', async (context) => {
    const { server, store, wanted } = await begin(context);
    vi.stubEnv('HTTP_PROXY', server.url);
    vi.stubEnv('NO_PROXY', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const path = await store.find({ ...wanted, reference: 'http://models.example/m/tiny.gguf' }, passenger());
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('in shards is all of them, each once', async (context) => {
    const server = await fileServer(context);
    const shards = [1, 2, 3].map((index) => ({ name: `big-0000${index}-of-00003.gguf`, content: randomBytes(50_000 * index) }));
    for (const shard of shards)
      server.put(`/${shard.name}`, { content: shard.content, script: [{ kind: 'cut', afterBytes: 20_000 }, { kind: 'serve' }] });
    const store = await testStore();
    const path = await store.find(wantedModel({ reference: `${server.url}/${shards[0]?.name}`, checksum: null }), passenger());
    expect(path).toMatch(/big-00001-of-00003\.gguf$/);
    for (const shard of shards) expect(readFileSync(join(path, '..', shard.name)).equals(shard.content)).toBe(true);
    expect(server.sentBytes()).toBeLessThan(300_000 * 1.25);
  });

  it('that a person put where it is to be kept is not believed for its name', async (context) => {
    const { store, wanted } = await begin(context);
    expect(await presentModel(store.paths.modelRecords, 'sha256-0')).toBeNull();
    const path = await store.find(wanted, passenger());
    await rm(path);
    expect(readFileSync(await store.find(wanted, passenger())).equals(content), 'deleted under us: fetched again').toBe(true);
    await writeFile(path, content.subarray(0, 10));
    expect(readFileSync(await store.find(wanted, passenger())).equals(content), 'cut short under us').toBe(true);
  });
});

describe('an interrupted download', () => {
  it('is gone on with where it stopped, by range and validator (row 72)', async (context) => {
    const large = randomBytes(8_000_000);
    const server = await fileServer(context);
    const reference = server.put('/large.gguf', { content: large, script: [{ kind: 'cut', afterBytes: 6_000_000 }, { kind: 'serve' }] });
    const store = await testStore();
    const path = await store.find(wantedModel({ reference, checksum: `sha256:${sha256Of(large)}` }), passenger());
    expect(readFileSync(path).equals(large)).toBe(true);
    expect(server.asked.map(({ range }) => range)).toEqual([null, expect.stringMatching(/^bytes=\d{7}-$/)]);
    expect(server.asked[1]?.ifRange).toMatch(/^"/);
    expect(server.sentBytes(), 'nine bytes of ten were kept').toBeLessThan(large.length + 600_000);
  });

  it('is gone on with by the next daemon', async (context) => {
    const { server, store, wanted } = await begin(context, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }]);
    const listener = passenger();
    const given = store.find(wanted, listener);
    await until('half of it to be there', () => partSize(store) === half);
    listener.leave();
    await expect(given).rejects.toThrow('no longer wanted');
    const next = await testStore(undefined, store.paths.root);
    const listening = passenger();
    expect(readFileSync(await next.find(wanted, listening)).equals(content)).toBe(true);
    expect(server.asked.at(-1)?.range).toBe(`bytes=${half}-`);
    expect(listening.phases.slice(-3), 'what is there is hashed first').toEqual(['verifying', 'fetching', 'verifying']);
  });

  it.each<[string, readonly Turn[]]>([
    [
      'the file has become another',
      [
        { kind: 'cut', afterBytes: half },
        { kind: 'become', content },
      ],
    ],
    ['the server knows no ranges', [{ kind: 'cut', afterBytes: half }, { kind: 'ignore_range' }]],
    ['the server sends another range', [{ kind: 'cut', afterBytes: half }, { kind: 'wrong_range' }, { kind: 'serve' }]],
    ['the server knows no such range', [{ kind: 'cut', afterBytes: half }, { kind: 'status', status: 416 }, { kind: 'serve' }]],
  ])('begins anew where %s', async (_what, script) => {
    const { store, wanted } = await begin({ onTestFinished }, script);
    expect(readFileSync(await store.find(wanted, passenger())).equals(content)).toBe(true);
  });

  it('of a file that changed meanwhile, without a checksum, is the new file whole', async (context) => {
    const other = randomBytes(500_000);
    const { store, wanted, server } = await begin(
      context,
      [
        { kind: 'cut', afterBytes: half },
        { kind: 'become', content: other },
      ],
      { checksum: null },
    );
    expect(readFileSync(await store.find(wanted, passenger())).equals(other)).toBe(true);
    expect(server.asked[1]?.ifRange).not.toBeNull();
  });

  it('without a checksum and without a validator is never put together from two', async (context) => {
    const { store, wanted, server } = await begin(context, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }], { checksum: null, etag: null });
    const listener = passenger();
    const given = store.find(wanted, listener);
    await until('half of it to be there', () => partSize(store) === half);
    listener.leave();
    await expect(given).rejects.toThrow();
    await store.find(wanted, passenger());
    expect(server.asked.at(-1)?.range).toBeNull();
  });
});

describe('what cannot be had', () => {
  it.each<[string, string, readonly Turn[], string]>([
    ['download_unauthorized', 'asks for a token', [{ kind: 'status', status: 401 }], '401'],
    ['download_unauthorized', 'does not accept ours', [{ kind: 'status', status: 403 }], 'token'],
    ['model_missing', 'does not have it', [{ kind: 'status', status: 404 }], '404'],
    ['download_failed', 'is broken for long', [{ kind: 'status', status: 500 }], '500'],
    ['download_failed', 'is busy for long', [{ kind: 'status', status: 429, headers: { 'retry-after': '0' } }], '429'],
    ['download_failed', 'cuts it at the same byte each time', [{ kind: 'cut', afterBytes: 0 }], 'cut'],
    ['download_stalled', 'sends nothing more', [{ kind: 'stall', afterBytes: 0 }], 'in 300 ms'],
    ['download_stalled', 'drips', [{ kind: 'stall', afterBytes: 0, everyMs: 20 }], 'in 300 ms'],
    ['download_failed', 'packs it', [{ kind: 'status', status: 200, headers: { 'content-encoding': 'gzip' } }], 'encoding'],
    ['download_failed', 'leads round in a circle', [{ kind: 'redirect', to: '/m/tiny.gguf' }], 'redirects'],
    ['download_failed', 'leads to another scheme', [{ kind: 'redirect', to: 'file:///etc/passwd' }], 'redirect'],
  ])('is %s where the server %s', async (code, _what, script, message) => {
    const { store, wanted } = await begin({ onTestFinished }, script);
    const reason = await failure(store.find(wanted, passenger()));
    expect(reason).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(finals(store)).toEqual([]);
  });

  it('is download_unreachable where nobody listens, or the name is nobody’s', async () => {
    const store = await testStore();
    for (const reference of ['http://127.0.0.1:1/m.gguf', 'https://nobody.invalid/m.gguf']) {
      expect(await failure(store.find(wantedModel({ reference, checksum: null }), passenger()))).toMatchObject({ code: 'download_unreachable' });
    }
  });

  it('is digest_mismatch where it is not what was asked for, and nothing of it stays (row 72)', async (context) => {
    const { store, wanted } = await begin(context, [], { checksum: `sha256:${'0'.repeat(64)}` });
    expect(await failure(store.find(wanted, passenger()))).toMatchObject({
      code: 'digest_mismatch',
      message: expect.stringContaining(sha256Of(content)),
    });
    expect([...finals(store), ...parts(store)]).toEqual([]);
  });

  it('is digest_mismatch where it is empty', async (context) => {
    const server = await fileServer(context);
    const store = await testStore();
    const reference = server.put('/empty.gguf', { content: Buffer.alloc(0) });
    expect(await failure(store.find(wantedModel({ reference, checksum: null }), passenger()))).toMatchObject({
      message: expect.stringContaining('no bytes'),
    });
  });

  it.each([
    'http://example.org/m.gguf',
    'https://user:pass@example.org/m.gguf',
    'ftp://example.org/m.gguf',
    'hf:onlyone',
    'hf:org/../x',
    'hf:org/name/../../x',
    'hf:org/name@-x',
  ])('is invalid_spec as %s', async (reference) => {
    const store = await testStore();
    const reason = await failure(store.find(wantedModel({ reference, checksum: null }), passenger()));
    expect(reason.code).toBe('invalid_spec');
    expect(reason.message).not.toContain('pass@');
  });

  it('is state_store_failed where the store cannot be written to', async (context) => {
    const { store, wanted } = await begin(context);
    await mkdir(store.paths.root, { recursive: true });
    await writeFile(store.paths.parts, 'in the way');
    expect(await failure(store.find(wanted, passenger()))).toMatchObject({
      code: 'state_store_failed',
      message: expect.stringContaining('POOL_MANAGERD_CACHE_DIR'),
    });
  });
});

describe('the disk', () => {
  const smallDisk = async (): Promise<TestStore> => {
    const dir = await temporaryDir();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]);
    onTestFinished(() => void execFileSync('umount', [dir]));
    return testStore(undefined, dir);
  };

  it.skipIf(!mayMount)('that has no room for it is said to be full before anything is fetched (row 71)', async (context) => {
    const { server, wanted } = await begin(context);
    const store = await smallDisk();
    expect(await failure(store.find(wanted, passenger()))).toMatchObject({
      code: 'disk_full',
      message: expect.stringMatching(/expected \d+ bytes free/),
    });
    expect(partSize(store)).toBe(0);
    expect(server.asked.length).toBe(1);
  });

  it.skipIf(!mayMount)('that is full in the middle loses nothing but the part, which is removed (row 71)', async (context) => {
    const server = await fileServer(context);
    const reference = server.put('/large.gguf', { content: randomBytes(3_000_000), script: [{ kind: 'chunked' }] });
    const store = await smallDisk();
    expect(await failure(store.find(wantedModel({ reference, checksum: null }), passenger()))).toMatchObject({ code: 'disk_full' });
    expect([...parts(store), ...finals(store)]).toEqual([]);
  });

  it('is read and hashed without holding the loop (row 73)', async () => {
    const store = await testStore();
    const reference = join(await temporaryDir(), 'large.gguf');
    await writeFile(reference, '');
    await truncate(reference, 512 * 1024 * 1024);
    const before = performance.eventLoopUtilization();
    await failure(store.find(wantedModel({ reference, checksum: `sha256:${'0'.repeat(64)}` }), passenger()));
    expect(performance.eventLoopUtilization(before).utilization, 'share of the time in which this loop had work').toBeLessThan(0.5);
  });
});

describe('one download', () => {
  it('is enough for all who want the same, who hear the same and may leave', async (context) => {
    const { server, store, wanted } = await begin(context, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }]);
    const [first, second, third] = [passenger(), passenger(), passenger()];
    const given = [first, second, third].map((each) => store.find(wanted, each));
    await until('half of it to be there', () => partSize(store) === half);
    first.leave();
    await expect(given[0]).rejects.toThrow('no longer wanted');
    const [one, other] = await Promise.all(given.slice(1));
    expect(one).toBe(other);
    expect(second.phases).toEqual(third.phases);
    expect(server.asked.length, 'the stalled one and what went on with it').toBe(2);
    expect(server.sentBytes()).toBe(content.length);
  });

  it('that nobody wants any more ends at once and may be wanted again', async (context) => {
    const { server, store, wanted } = await begin(context, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }]);
    const listener = passenger();
    const given = store.find(wanted, listener);
    await until('half of it to be there', () => partSize(store) === half);
    const begun = performance.now();
    listener.leave();
    const again = store.find(wanted, passenger());
    await expect(given).rejects.toThrow();
    expect(performance.now() - begun).toBeLessThan(250);
    expect(readFileSync(await again).equals(content)).toBe(true);
    expect(server.sentBytes()).toBe(content.length);
  });

  it('is enough for two stores on one folder, as of two daemons', async (context) => {
    const { server, store, wanted } = await begin(context, [{ kind: 'stall', afterBytes: half }, { kind: 'serve' }]);
    const other = await testStore(undefined, store.paths.root);
    const waiting = passenger();
    const [one, two] = await Promise.all([store.find(wanted, passenger()), other.find(wanted, waiting)]);
    expect(one).toBe(two);
    expect(server.sentBytes()).toBe(content.length);
  });
});

describe('a file that somebody else put there', () => {
  it('is taken as it is, or by its checksum, which is looked at once', async () => {
    const store = await testStore();
    await mkdir(store.paths.root, { recursive: true });
    const reference = join(store.paths.root, 'own.gguf');
    await writeFile(reference, content);
    expect(await store.find(wantedModel({ reference, checksum: null }), passenger())).toBe(reference);
    const [first, second] = [passenger(), passenger()];
    await store.find(wantedModel({ reference, checksum: `sha256:${sha256Of(content)}` }), first);
    await store.find(wantedModel({ reference, checksum: `sha256:${sha256Of(content)}` }), second);
    expect([first.phases, second.phases]).toEqual([['verifying'], []]);
    await writeFile(reference, randomBytes(10));
    expect(await failure(store.find(wantedModel({ reference, checksum: `sha256:${sha256Of(content)}` }), passenger()))).toMatchObject({
      code: 'digest_mismatch',
    });
  });
});
