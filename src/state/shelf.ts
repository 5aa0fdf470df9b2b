/**
 * One folder of state files: ids checked at the border, one file per id, one call at a time for each id.
 *
 * Knows files and their order, not what is in them.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CauseError } from '../cause.ts';
import type { Cause } from '../machines/vocabulary.ts';
import { removeFile, sweepLeftovers, writeFileAtomically } from '../os/atomic-file.ts';
import { FileRefused, readTextSafely } from '../os/read-safely.ts';
import { ContentRefused, decode, encode, type Form } from './codec.ts';
import type { Lanes } from './lanes.ts';
import { poolIdPattern } from './schemas.ts';
import { leftInPlace, setAside } from './set-aside.ts';
import type { SetAside, Shelf } from './store.ts';

export interface ShelfOptions {
  readonly dir: string;
  readonly owners: ReadonlySet<number>;
  readonly lanes: Lanes;
}

export const mostFileBytes = 1024 * 1024;
/** Files read side by side. */
const atOnce = 32;

type Look<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'missing' } | { readonly kind: 'unusable'; readonly cause: Cause };

export const makeShelf = <T, Content extends object>(form: Form<T, Content>, { dir, owners, lanes }: ShelfOptions): Shelf<T> => {
  const pathOf = (id: string): string => join(dir, `${id}.json`);

  const look = async (id: string): Promise<Look<T>> => {
    const path = pathOf(id);
    try {
      const { text } = await readTextSafely(path, { maxBytes: mostFileBytes, owners });
      return { kind: 'value', value: decode(form, id, text) };
    } catch (thrown) {
      if (isMissing(thrown)) return { kind: 'missing' };
      const moves = thrown instanceof FileRefused || thrown instanceof ContentRefused;
      return { kind: 'unusable', cause: moves ? await setAside(dirname(dir), path, thrown.message) : leftInPlace(path, thrown) };
    }
  };

  const lookAtName = async (name: string): Promise<Look<T> & { readonly id: string | null }> => {
    const id = name.slice(0, -suffix.length);
    if (poolIdPattern.test(id)) return { id, ...(await lanes.inTurn(pathOf(id), () => look(id))) };
    return { id: null, kind: 'unusable', cause: await setAside(dirname(dir), join(dir, name), 'expected a pool id as its name') };
  };

  return {
    read: async (id) => {
      const found = await lanes.inTurn(pathOf(checked(id)), () => look(id));
      if (found.kind === 'unusable') throw new CauseError(found.cause);
      return found.kind === 'value' ? found.value : null;
    },
    write: async (id, value) => {
      const path = pathOf(checked(id));
      const text = textOf(form, id, value, path);
      await lanes.latest(path, () => writeFileAtomically(path, text, { mode: 0o600 }));
    },
    remove: async (id) => {
      const path = pathOf(checked(id));
      await lanes.latest(path, () => removeFile(path));
    },
    list: async () => {
      const [swept, names] = await namesIn(dir);
      const looks: (Look<T> & { readonly id: string | null })[] = [];
      for (let at = 0; at < names.length; at += atOnce) looks.push(...(await Promise.all(names.slice(at, at + atOnce).map(lookAtName))));
      return {
        values: looks.flatMap((found) => (found.kind === 'value' ? [found.value] : [])),
        setAside: looks.flatMap((found): SetAside[] => (found.kind === 'unusable' ? [{ id: found.id, cause: found.cause }] : [])),
        swept,
      };
    },
  };
};

const suffix = '.json';

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

const checked = (id: string): string => {
  if (poolIdPattern.test(id)) return id;
  throw failed(`expected a pool id of lower-case letters, digits and inner dashes, at most 63, found ${JSON.stringify(id).slice(0, 100)}`);
};

const textOf = <T, Content extends object>(form: Form<T, Content>, id: string, value: T, path: string): string => {
  const text = encoded(form, id, value, path);
  if (Buffer.byteLength(text) <= mostFileBytes) return text;
  throw failed(`cannot write ${path}: expected at most ${mostFileBytes} bytes, found ${Buffer.byteLength(text)}`);
};

const encoded = <T, Content extends object>(form: Form<T, Content>, id: string, value: T, path: string): string => {
  try {
    return encode(form, id, value);
  } catch (thrown) {
    throw failed(`cannot write ${path}: it could not be read back: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
};

const namesIn = async (dir: string): Promise<readonly [swept: readonly string[], names: readonly string[]]> => {
  try {
    const swept = await sweepLeftovers(dir);
    return [swept, (await readdir(dir)).filter((name) => name.endsWith(suffix) && !name.startsWith('.')).sort()];
  } catch (thrown) {
    throw failed(`cannot read ${dir}: ${thrown instanceof Error ? thrown.message : String(thrown)}; see POOL_MANAGERD_STATE_DIR`, basename(dir));
  }
};

const failed = (message: string, shelf?: string): CauseError =>
  new CauseError({ code: 'state_store_failed', message, ...(shelf === undefined ? {} : { details: { shelf } }) });
