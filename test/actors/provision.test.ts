import { readFileSync } from 'node:fs';
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { type ProvisionEngineDeps, provisionEngine } from '../../src/actors/provision-engine.ts';
import { provisionModel } from '../../src/actors/provision-model.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { hubSettings } from '../../src/provisioning/hub/settings.ts';
import { createEnsureModel } from '../../src/provisioning/models/ensure.ts';
import { createFindModel } from '../../src/provisioning/models/find-model.ts';
import { storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { writeGguf } from '../kit/gguf-writer.ts';
import { gpuSpec } from '../kit/gpu-facts.ts';

const engineFrom = (deps: Omit<ProvisionEngineDeps, 'engineOf'>) => {
  const logic = provisionEngine({ ...deps, engineOf: () => null });
  return (facts: Partial<PoolSpec> = {}) => toPromise(silent(createActor(logic, { input: { spec: gpuSpec(facts) } })).start());
};
const modelFrom = async (baseDir: string, facts: Partial<PoolSpec>) => {
  const findModel = createFindModel({
    paths: storePaths(join(await temporaryDir(), 'cache')),
    baseDir,
    ensure: createEnsureModel(),
    hub: hubSettings({}, '/nonexistent'),
  });
  return toPromise(silent(createActor(provisionModel({ findModel }), { input: { spec: gpuSpec(facts) } })).start());
};
const silent = <A extends { subscribe(observer: { error: () => void }): unknown }>(actor: A): A => {
  actor.subscribe({ error: () => undefined });
  return actor;
};

const asked = 'echo "$1" >>"$0.asked"';
const llama = `#!/bin/sh
${asked}
case "$1" in
--version) echo "version: 0.7.0 (build 1)" >&2 ;;
--help) printf -- '-m,    --model FNAME   the model\\n--port PORT   the port\\n' ;;
esac
`;
const folderWith = async (text: string, mode = 0o755): Promise<{ readonly dir: string; readonly path: string }> => {
  const dir = await temporaryDir();
  const path = join(dir, 'llama-server');
  await writeFile(path, text, { mode });
  return { dir, path };
};

describe('an engine that is there already', () => {
  it('is the executable of the spec, asked for version and flags once as long as the file is the same', async () => {
    const { dir, path } = await folderWith(llama);
    const provision = engineFrom({ baseDir: dir, path: '' });
    const provisioning = { mode: 'external', executable: './llama-server' } as const;
    const found = { executable: path, version: '0.7.0', knownFlags: ['-m', '--model', '--port'] };
    expect(await provision({ provisioning })).toMatchObject({ ...found, mono: expect.any(Number) });
    expect(await provision({ provisioning })).toMatchObject(found);
    expect(readFileSync(`${path}.asked`, 'utf8')).toBe('--version\n--help\n');
    await writeFile(path, `${llama}# another\n`);
    await provision({ provisioning });
    expect(readFileSync(`${path}.asked`, 'utf8')).toBe('--version\n--help\n--version\n--help\n');
  });

  it('is looked for on the PATH, where what may not be executed does not count', async () => {
    const plain = await folderWith(llama, 0o644);
    const { dir, path } = await folderWith(llama);
    expect(await engineFrom({ baseDir: '/', path: `${plain.dir}:relative:${dir}` })()).toMatchObject({ executable: path });
    expect(await engineFrom({ baseDir: '/', path: dir })({ provisioning: { mode: 'external', executable: 'llama-server' } })).toMatchObject({
      executable: path,
    });
  });

  it.each([
    ['nowhere on the PATH', { path: '/nowhere:/neither' }, {}, 'llama-server on the PATH (/nowhere:/neither)'],
    [
      'not at its path',
      {},
      { provisioning: { mode: 'external', executable: '/nowhere/llama-server' } },
      '/nowhere/llama-server, found that there is no such file',
    ],
    ['a folder', {}, { provisioning: { mode: 'external', executable: '/tmp' } }, 'no regular file'],
    ['without a name to look for', {}, { engine: 'custom', custom: null }, 'provisioning.executable'],
  ] as const)('is missing when it is %s', async (_what, deps, facts, message) => {
    await expect(engineFrom({ baseDir: '/', ...deps })(facts)).rejects.toMatchObject({
      cause: { code: 'engine_missing', message: expect.stringContaining(message) },
      at: expect.any(Number),
      mono: expect.any(Number),
    });
  });

  it('is missing when it may not be executed', async () => {
    const { path } = await folderWith(llama, 0o644);
    await expect(engineFrom({ baseDir: '/' })({ provisioning: { mode: 'external', executable: path } })).rejects.toMatchObject({
      cause: { code: 'engine_missing', message: expect.stringContaining('may not be executed') },
    });
  });

  it.each([
    ['incompatible', 'fails', '#!/bin/sh\necho "libfoo.so: cannot open shared object file" >&2\nexit 127\n', 'cannot open shared object file'],
    ['incompatible', 'never ends its answer', '#!/bin/sh\nexec yes\n', '1048576 bytes'],
    ['asked again later', 'does not answer in time', '#!/bin/sh\nexec sleep 1000\n', 'within 300 ms'],
  ])('is %s when it %s', async (verdict, _what, text, message) => {
    const { path } = await folderWith(text);
    await expect(engineFrom({ baseDir: '/', askDeadlineMs: 300 })({ provisioning: { mode: 'external', executable: path } })).rejects.toMatchObject({
      cause: { code: verdict === 'incompatible' ? 'engine_incompatible' : 'start_stalled', message: expect.stringContaining(message) },
    });
  });
});

describe('a model that is there already', () => {
  const gguf = async (dir: string, name: string, bytes: number): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, '');
    await truncate(path, bytes);
    return path;
  };

  it('is a path, absolute, relative to the pools file, or as a file URL', async () => {
    const dir = await temporaryDir();
    const path = await gguf(dir, 'tiny q4.gguf', 1_000);
    const found = { id: 'tiny q4', path, bytes: 1_000, mono: expect.any(Number) };
    for (const model of [path, 'tiny q4.gguf', './tiny q4.gguf', pathToFileURL(path).href, `file:${path.replaceAll(' ', '%20')}`]) {
      expect(await modelFrom(dir, { model })).toMatchObject(found);
    }
  });

  it('in shards is as large as all of them, and missing when one is', async () => {
    const dir = await temporaryDir();
    const model = await gguf(dir, 'big-00001-of-00003.gguf', 100);
    await gguf(dir, 'big-00002-of-00003.gguf', 20);
    await expect(modelFrom(dir, { model })).rejects.toMatchObject({
      cause: { code: 'model_missing', message: expect.stringContaining('big-00003-of-00003.gguf') },
    });
    await gguf(dir, 'big-00003-of-00003.gguf', 3);
    expect(await modelFrom(dir, { model })).toMatchObject({ path: model, bytes: 123 });
  });

  it('comes with what its header says, and with nothing where that is not understood', async () => {
    const dir = await temporaryDir();
    const path = join(dir, 'tiny.gguf');
    await writeGguf(path, { values: { 'general.architecture': { text: 'llama' } }, tensors: [{ name: 'output.weight', shape: [32, 8] }] });
    expect(await modelFrom(dir, { model: path })).toMatchObject({ shape: { architecture: 'llama', tensorBytes: 1_024 } });
    expect(await modelFrom(dir, { model: await gguf(dir, 'empty.gguf', 1_000) })).toMatchObject({ bytes: 1_000, shape: null });
  });

  it('may be a directory, but not for llama-server', async () => {
    const dir = await temporaryDir();
    await mkdir(join(dir, 'model'));
    expect(await modelFrom(dir, { model: 'model', engine: 'custom' })).toMatchObject({ id: 'model', path: join(dir, 'model'), bytes: null });
    await expect(modelFrom(dir, { model: 'model' })).rejects.toMatchObject({
      cause: { code: 'model_missing', message: expect.stringContaining('directory') },
    });
  });

  it('is nothing for an engine that needs none', async () => {
    expect(await modelFrom('/', { model: null, engine: 'custom' })).toMatchObject({ id: 'custom', path: null, bytes: null });
  });

  it.each(['/nowhere/m.gguf', 'file:///nowhere/m.gguf', 'file://host/m.gguf', '/dev/null/m'])('is missing at %s', async (model) => {
    await expect(modelFrom('/', { model })).rejects.toMatchObject({
      cause: { code: 'model_missing', message: expect.stringContaining('expected') },
    });
  });

  it.skipIf(process.getuid?.() === 0)('is missing when it may not be read', async () => {
    const dir = await temporaryDir();
    const model = await gguf(dir, 'm.gguf', 1);
    await chmod(model, 0);
    await expect(modelFrom(dir, { model })).rejects.toMatchObject({ cause: { code: 'model_missing' } });
  });
});
