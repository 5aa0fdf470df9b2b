/** Says which links in the project's Markdown lead nowhere: `npm run links`; exit 1 if any does. */
import { join } from 'node:path';
import { brokenLinks } from './links.ts';

const broken = brokenLinks(join(import.meta.dirname, '..'));
for (const line of broken) console.error(line);
if (broken.length === 0) console.log('every link between the pages leads somewhere');
process.exitCode = broken.length === 0 ? 0 : 1;
