/** What must go along with the work of others that is in a built form: name, version, licence and its text, one after the other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.ts';

/** `packages`: folders from the root of the project. */
export const licencesOf = (packages: readonly string[]): string =>
  ['Parts of other works are in pool-managerd. They are used under their own licences.', ...packages.map(licenceOf)].join(`\n${'-'.repeat(78)}\n`);

const licenceOf = (folder: string): string => {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Readonly<Record<string, unknown>>;
  const texts = readdirSync(join(root, folder))
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
  if (typeof license !== 'string')
    throw new Error(`${folder}/package.json: expected a licence, found ${JSON.stringify(license)}: leave the package out`);
  return [`${name} ${version}: ${license}`, ...texts].join('\n\n');
};
