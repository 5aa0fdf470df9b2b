/** A model on a hub: which files a reference means, and that they lie where Hugging Face's own tools look. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { hubSettings } from '../../src/provisioning/hub/settings.ts';
import type { WantedModel } from '../../src/provisioning/models/wanted.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { sha256Of } from '../kit/file-server.ts';
import { type Hub, hubStandIn } from '../kit/hub.ts';
import { passenger, type TestStore, testStore, wantedModel } from '../kit/provisioning.ts';

const q4 = randomBytes(300_000);
const q8 = randomBytes(400_000);

const begin = async (
  context: TestContext,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly hub: Hub; readonly store: TestStore; readonly home: string }> => {
  const hub = await hubStandIn(context);
  const home = await temporaryDir();
  return { hub, home, store: await testStore(undefined, join(home, 'cache'), hubSettings({ HF_ENDPOINT: hub.url, ...env }, home)) };
};
const llama = (reference: string, changes: Partial<WantedModel> = {}): WantedModel => wantedModel({ reference, engine: 'llamacpp', ...changes });
const reasonOf = (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );

describe('a file of a repository', () => {
  it('is fetched into the layout of Hugging Face’s own tools, and found without a network from then on', async (context) => {
    const { hub, store } = await begin(context);
    const sha = hub.commit('org/tiny-GGUF', { 'README.md': Buffer.from('x'), 'tiny-Q4_K_M.gguf': q4, 'tiny-Q8_0.gguf': q8 });
    const path = await store.find(llama('hf:org/tiny-GGUF/tiny-Q4_K_M.gguf'), passenger());
    const folder = join(store.paths.hub, 'models--org--tiny-GGUF');
    expect(path).toBe(join(folder, 'snapshots', sha, 'tiny-Q4_K_M.gguf'));
    expect(realpathSync(path)).toBe(realpathSync(join(folder, 'blobs', sha256Of(q4))));
    expect(readFileSync(path).equals(q4)).toBe(true);
    expect(readFileSync(join(folder, 'refs', 'main'), 'utf8')).toBe(sha);
    expect(readdirSync(join(folder, 'blobs'))).toEqual([sha256Of(q4)]);
    await hub.api.close();
    expect(await store.find(llama('hf:org/tiny-GGUF/tiny-Q4_K_M.gguf'), passenger())).toBe(path);
    expect(await store.find(llama(`hf:org/tiny-GGUF/tiny-Q4_K_M.gguf@${sha}`), passenger()), 'by its commit too').toBe(path);
  });

  it('is chosen by quantisation, or for being the only one', async (context) => {
    const { hub, store } = await begin(context);
    hub.commit('org/tiny', { 'tiny-Q4_K_M.gguf': q4, 'tiny-Q4_K_S.gguf': randomBytes(9), 'tiny-Q8_0.gguf': q8, 'mmproj-tiny.gguf': randomBytes(9) });
    expect(await store.find(llama('hf:org/tiny', { quant: 'q8_0' }), passenger())).toMatch(/tiny-Q8_0\.gguf$/);
    expect(await store.find(llama('hf:org/tiny', { quant: 'Q4_K_M' }), passenger())).toMatch(/tiny-Q4_K_M\.gguf$/);
    expect(await reasonOf(store.find(llama('hf:org/tiny'), passenger()))).toMatchObject({
      code: 'invalid_spec',
      message: expect.stringContaining('tiny-Q8_0.gguf'),
    });
    expect(await reasonOf(store.find(llama('hf:org/tiny', { quant: 'Q5_0' }), passenger()))).toMatchObject({ code: 'model_missing' });
    hub.commit('org/single', { 'a-00001-of-00002.gguf': randomBytes(10), 'a-00002-of-00002.gguf': randomBytes(20) });
    const path = await store.find(llama('hf:org/single'), passenger());
    expect(path).toMatch(/a-00001-of-00002\.gguf$/);
    expect(readFileSync(path.replace('00001-of', '00002-of')).length).toBe(20);
  });

  it('that another tool fetched is taken from the cache that they share, and what it left unfinished is gone on with', async (context) => {
    const shared = await temporaryDir();
    const { hub, store } = await begin(context, { HF_HUB_CACHE: shared });
    const sha = hub.commit('org/tiny', { 'q4.gguf': q4, 'q8.gguf': q8 });
    const folder = join(shared, 'models--org--tiny');
    for (const dir of ['blobs', 'refs', `snapshots/${sha}`]) mkdirSync(join(folder, dir), { recursive: true });
    writeFileSync(join(folder, 'blobs', sha256Of(q4)), q4);
    symlinkSync(`../../blobs/${sha256Of(q4)}`, join(folder, 'snapshots', sha, 'q4.gguf'));
    writeFileSync(join(folder, 'refs', 'main'), sha);
    writeFileSync(join(folder, 'blobs', `${sha256Of(q8)}.incomplete`), q8.subarray(0, 250_000));
    expect(await store.find(llama('hf:org/tiny/q4.gguf'), passenger())).toBe(join(folder, 'snapshots', sha, 'q4.gguf'));
    expect(hub.api.asked).toEqual([]);
    expect(readFileSync(await store.find(llama('hf:org/tiny/q8.gguf'), passenger())).equals(q8)).toBe(true);
    expect(hub.files.sentBytes()).toBe(150_000);
  });

  it('that was left unfinished and is no beginning of it is fetched anew', async (context) => {
    const { hub, store } = await begin(context);
    hub.commit('org/tiny', { 'q8.gguf': q8 });
    const blobs = join(store.paths.hub, 'models--org--tiny', 'blobs');
    mkdirSync(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256Of(q8)}.incomplete`), Buffer.alloc(q8.length));
    expect(readFileSync(await store.find(llama('hf:org/tiny/q8.gguf'), passenger())).equals(q8)).toBe(true);
  });

  it('stays what it was when its branch moves, until somebody asks for the new one', async (context) => {
    const { hub, store } = await begin(context);
    hub.commit('org/tiny', { 'm.gguf': q4 });
    const first = await store.find(llama('hf:org/tiny/m.gguf'), passenger());
    const moved = hub.commit('org/tiny', { 'm.gguf': q8 });
    expect(await store.find(llama('hf:org/tiny/m.gguf'), passenger())).toBe(first);
    const second = await store.find(llama('hf:org/tiny/m.gguf', { refresh: true }), passenger());
    expect(second).toContain(moved);
    expect(await store.find(llama('hf:org/tiny/m.gguf'), passenger())).toBe(second);
    expect(readFileSync(first).equals(q4), 'a running engine may have it open').toBe(true);
  });
});

describe('a whole repository', () => {
  it('is its safetensors and what belongs to them, verified one by one, never pickles', async (context) => {
    const { hub, store } = await begin(context);
    const config = Buffer.from('{"architectures":["Llama"]}');
    hub.commit('org/chat', {
      'config.json': config,
      'model-00001-of-00002.safetensors': q4,
      'model-00002-of-00002.safetensors': { content: q8, script: [{ kind: 'cut', afterBytes: 1000 }, { kind: 'serve' }] },
      'pytorch_model.bin': randomBytes(10),
      'modeling.py': Buffer.from('import os'),
      'original/params.json': Buffer.from('{}'),
      '../evil.json': Buffer.from('{}'),
    });
    const path = await store.find(wantedModel({ reference: 'hf:org/chat', engine: 'vllm' }), passenger());
    expect(readdirSync(path).sort()).toEqual(['config.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']);
    expect(readFileSync(join(path, 'config.json')).equals(config)).toBe(true);
    hub.commit('org/pickled', { 'pytorch_model.bin': randomBytes(10), 'config.json': config });
    expect(await reasonOf(store.find(wantedModel({ reference: 'hf:org/pickled', engine: 'vllm' }), passenger()))).toMatchObject({
      code: 'model_incompatible',
    });
  });
});

describe('a repository that needs a token', () => {
  it('is told to the hub and to nobody that it redirects to', async (context) => {
    const { hub, store } = await begin(context, { HF_TOKEN: 'hf_secret_of_the_test' });
    hub.commit('org/gated', { 'm.gguf': q4 }, { token: 'hf_secret_of_the_test' });
    await store.find(llama('hf:org/gated/m.gguf'), passenger());
    expect(hub.api.asked.map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret_of_the_test', 'Bearer hf_secret_of_the_test']);
    expect(hub.files.asked.map(({ authorization }) => authorization)).toEqual([null]);
  });

  it('may have it in the file of Hugging Face’s tools', async (context) => {
    const { hub, store, home } = await begin(context);
    mkdirSync(join(home, '.cache', 'huggingface'), { recursive: true });
    writeFileSync(join(home, '.cache', 'huggingface', 'token'), 'hf_from_file\n');
    hub.commit('org/gated', { 'm.gguf': q4 }, { token: 'hf_from_file' });
    await store.find(llama('hf:org/gated/m.gguf'), passenger());
  });

  it('is unauthorized without, and nothing is told of it', async (context) => {
    const { hub, store } = await begin(context, { HF_TOKEN: 'hf_wrong_token' });
    hub.commit('org/gated', { 'm.gguf': q4 }, { token: 'hf_right' });
    const reason = await reasonOf(store.find(llama('hf:org/gated/m.gguf'), passenger()));
    expect(reason).toMatchObject({ code: 'download_unauthorized', message: expect.stringContaining('HF_TOKEN') });
    expect(reason.message).not.toContain('hf_wrong_token');
  });
});

describe('what is not there', () => {
  it.each<[string, string, string]>([
    ['no such repository', 'hf:org/nowhere', 'model_missing'],
    ['no such revision', 'hf:org/tiny/m.gguf@v9', 'model_missing'],
    ['no such file', 'hf:org/tiny/n.gguf', 'model_missing'],
    ['a shard short', 'hf:org/tiny/s-00001-of-00003.gguf', 'model_missing'],
  ])('is %s', async (_what, reference, code) => {
    const hub = await hubStandIn({ onTestFinished });
    const store = await testStore(undefined, null, hubSettings({ HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_any' }, '/nonexistent'));
    hub.commit('org/tiny', { 'm.gguf': q4, 's-00001-of-00003.gguf': q4, 's-00003-of-00003.gguf': q4 });
    expect(await reasonOf(store.find(llama(reference), passenger()))).toMatchObject({ code });
  });

  it('is not asked for offline, nor from a hub that is not to be trusted', async () => {
    const offline = await testStore(undefined, null, hubSettings({ HF_HUB_OFFLINE: '1' }, '/nonexistent'));
    expect(await reasonOf(offline.find(llama('hf:org/tiny/m.gguf'), passenger()))).toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('OFFLINE'),
    });
    const plain = await testStore(undefined, null, hubSettings({ HF_ENDPOINT: 'http://hub.example.org' }, '/nonexistent'));
    expect(await reasonOf(plain.find(llama('hf:org/tiny/m.gguf'), passenger()))).toMatchObject({
      code: 'invalid_spec',
      message: expect.stringContaining('https'),
    });
  });
});
