/**
 * The values that keys of a pool may have. Each schema's message is the expectation alone; the same text on every step of a
 * pipeline, so that one value gives one mistake.
 */
import * as v from 'valibot';

/** The pool's name at every border. What ends in `--b` is the second engine of a pool, for which three characters are kept. */
export const poolId = () =>
  matching(/^(?!.*--b$)[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$/, 'lower-case letters, digits and inner dashes, at most 60, not ending in --b');

export const whole = (least: number, most: number, unit = '') => {
  const expected = `a whole number${unit === '' ? '' : ` of ${unit}`} from ${least} to ${most}`;
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(least, expected), v.maxValue(most, expected));
};

const dayMs = 86_400_000;

export const milliseconds = (least = 0, most = dayMs) => whole(least, most, 'milliseconds');

export const yesOrNo = () => v.boolean('true or false');

export const matching = (pattern: RegExp, expected: string) => v.pipe(v.string(expected), v.regex(pattern, expected));

/** Text for a command line or a path: no NUL, not empty, not to be taken for a flag. */
export const word = (what: string, most = 4096) =>
  matching(new RegExp(`^[^-\\0][^\\0]{0,${most - 1}}$`), `${what}: text without a leading dash, at most ${most}`);

export const path = () => word('a path');

/** As given to a program, whatever it means there. YAML reads an unquoted 4 as a number. */
export const argument = () => matching(/^[^\0]{1,4096}$/, 'text (quote numbers), at most 4096');

export const digest = () => matching(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits');

export const httpPath = () => matching(/^\/[!-~]{0,1023}$/, 'a path that begins with / and has no spaces');

export const webUrl = () => matching(/^https?:\/\/[^\s@/]+\/[!-~]*$/, 'an http or https URL of a file, without user name or password');

export const host = () =>
  matching(/^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$/, 'an IP address or host name, without port or brackets');

const uuid = '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}';
const device = 'a GPU index from 0 to 63, or a UUID such as GPU-… or MIG-…';

export const devices = () =>
  v.pipe(
    v.array(
      v.union(
        [
          v.pipe(v.number(device), v.integer(device), v.minValue(0, device), v.maxValue(63, device)),
          matching(new RegExp(`^(?:GPU-${uuid}|MIG-${uuid}|MIG-GPU-${uuid}/\\d{1,2}/\\d{1,2})$`), device),
        ],
        device,
      ),
      'a list of GPU indices or UUIDs',
    ),
    v.minLength(1, 'at least one GPU index or UUID; pools name their GPUs'),
    v.maxLength(64, 'at most 64 GPUs'),
    once('each GPU once'),
  );

/** The second mention is the mistake. */
export const once = <T extends number | string>(expected: string) =>
  v.checkItems<T[], string>((item, index, items) => items.findIndex((other) => sameItem(other, item)) === index, expected);

const sameItem = (a: number | string, b: number | string): boolean => String(a).toLowerCase() === String(b).toLowerCase();
