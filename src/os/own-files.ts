/** Files that are part of this program and no scripts of it: beside the sources or scripts, or inside the executable. Read only. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getAssetKeys, getRawAsset } from 'node:sea';
import { form } from './form.ts';

/** In the package the folders lie beside the script that asks. */
const root = new URL(form === 'package' ? './' : '../../', import.meta.url);

/** Folders of such files, from the root of the project. The build puts what is in them into package and executable. */
export const ownFolders = ['src/http/dashboard/page', 'statecharts', 'src/provisioning/self-test'] as const;
export type OwnFolder = (typeof ownFolders)[number];

export const ownFilesIn = (folder: OwnFolder): readonly string[] => {
  if (form !== 'executable') return readdirSync(new URL(folder, root));
  return getAssetKeys().flatMap((key) => (key.startsWith(`${folder}/`) ? [key.slice(folder.length + 1)] : []));
};

export const readOwnFile = async (folder: OwnFolder, name: string): Promise<Buffer> =>
  form === 'executable' ? Buffer.from(getRawAsset(`${folder}/${name}`)) : readFile(new URL(`${folder}/${name}`, root));
