/**
 * Which pools there are, and which engines run: from the pools file and the state directory, which is only read. What cannot be read
 * is a refusal, since whoever asks is about to remove what nobody uses.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Used } from '../../../provisioning/upkeep/usage.ts';
import { decode, type Form } from '../../../state/codec.ts';
import { declaredForm, overrideForm, runForm } from '../../../state/forms.ts';
import { folders } from '../../../state/store.ts';
import { CliError, exitCodes } from '../../exit.ts';
import type { StoreAround } from './surroundings.ts';

export const usedSpecs = async ({ pools, stateDir }: StoreAround): Promise<readonly Used[]> => {
  const declared = await readAll(join(stateDir, folders.declared), declaredForm);
  const ordered = await readAll(join(stateDir, folders.overrides), overrideForm);
  const runs = await readAll(join(stateDir, folders.runs), runForm);
  return [
    ...[...(pools ?? []), ...declared, ...ordered.map(({ spec }) => spec)].map((spec) => ({ spec, modelPath: null })),
    ...runs.map(({ spec, model }) => ({ spec, modelPath: model.path })),
  ];
};

const readAll = async <T, Content extends object>(dir: string, form: Form<T, Content>): Promise<readonly T[]> => {
  const names = await readdir(dir).catch((thrown: unknown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw unknown(dir, thrown);
  });
  const files = names.filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  return Promise.all(
    files.map(async (name) => {
      try {
        return decode(form, name.slice(0, -'.json'.length), await readFile(join(dir, name), 'utf8'));
      } catch (thrown) {
        throw unknown(join(dir, name), thrown);
      }
    }),
  );
};

const unknown = (path: string, thrown: unknown): CliError =>
  new CliError(
    `${path}: cannot be read, so that it is not known what is in use: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    exitCodes.failed,
  );
