/** Folders of this machine as models: weights that are programs are refused before an engine reads them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EngineName } from '../../src/machines/vocabulary.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { passenger, testStore, wantedModel } from '../kit/provisioning.ts';

const folderOf = async (...names: readonly string[]): Promise<string> => {
  const folder = join(await temporaryDir(), 'model');
  await mkdir(folder);
  for (const name of names) await writeFile(join(folder, name), 'x');
  return folder;
};

const found = async (reference: string, engine: EngineName): Promise<string> =>
  (await testStore()).find(wantedModel({ reference, engine }), passenger());

describe('a folder that is on the machine', () => {
  it.each(['pytorch_model.bin', 'model.pt', 'model.pth', 'model.ckpt', 'weights.pkl'])(
    'is refused with %s alone, for every engine that reads folders (S24)',
    async (name) => {
      const folder = await folderOf('config.json', name);
      for (const engine of ['vllm', 'sglang', 'tgi'] as const) {
        const reason = { code: 'model_incompatible', message: expect.stringContaining(`expected safetensors in ${folder}, found ${name}`) };
        await expect(found(folder, engine)).rejects.toMatchObject({ reason });
      }
    },
  );

  it('is taken with safetensors, which engines read then, and whatever else is in it', async () => {
    const folder = await folderOf('config.json', 'model.safetensors', 'training_args.bin');
    expect(await found(folder, 'vllm')).toBe(folder);
  });

  it('is none of this where an engine reads one file, or where there is none', async () => {
    const folder = await folderOf('model.bin');
    expect(await found(join(folder, 'model.bin'), 'llamacpp')).toBe(join(folder, 'model.bin'));
    expect(await found(folder, 'custom')).toBe(folder);
    expect(await found('/nonexistent/model', 'vllm')).toBe('/nonexistent/model');
  });
});
