/** Writes `docs/pictures/terminal-*.svg`: what the commands show, drawn from what they print. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminalPictures } from './terminal/scenes.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'pictures');
for (const [name, picture] of await terminalPictures()) await writeFile(join(folder, name), picture);
console.log(`${folder}/terminal-*.svg written`);
