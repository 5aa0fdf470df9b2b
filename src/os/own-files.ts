/** Files that are part of this program and no scripts of it: beside the sources, or inside the executable. Read only. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getAssetKeys, getRawAsset, isSea } from 'node:sea';

const root = new URL('../../', import.meta.url);

/** Folders of such files, from the root of the project. The build puts what is in them into the executable. */
export const ownFolders = ['src/http/dashboard/page', 'statecharts', 'src/provisioning/self-test'] as const;
export type OwnFolder = (typeof ownFolders)[number];

export const ownFilesIn = (folder: OwnFolder): readonly string[] => {
  if (!isSea()) return readdirSync(new URL(folder, root));
  return getAssetKeys().flatMap((key) => (key.startsWith(`${folder}/`) ? [key.slice(folder.length + 1)] : []));
};

export const readOwnFile = async (folder: OwnFolder, name: string): Promise<Buffer> =>
  isSea() ? Buffer.from(getRawAsset(`${folder}/${name}`)) : readFile(new URL(`${folder}/${name}`, root));
