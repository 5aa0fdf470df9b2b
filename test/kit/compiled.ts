/** Where what Node has compiled is kept between processes of the tests. */
import { resolve } from 'node:path';

export const compiled = resolve(import.meta.dirname, '../../node_modules/.cache/compiled');
