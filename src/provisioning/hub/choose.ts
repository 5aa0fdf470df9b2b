/** Which files of a repository a pool needs. Pure. GGUF and safetensors only: what runs code when it is read is not fetched. */
import { CauseError } from '../../cause.ts';
import { shardsOf } from '../../gpu/estimate/read-shape.ts';
import type { EngineName } from '../../machines/vocabulary.ts';
import type { Repository, RepositoryFile } from './repository.ts';

export interface Choice {
  /** What an engine is given: a file, or null for the whole folder. */
  readonly main: string | null;
  readonly files: readonly RepositoryFile[];
}

export interface Needed {
  readonly file: string | null;
  readonly quant: string | null;
  /** llama-server reads one file, the others a folder; null: whatever there is. */
  readonly engine: EngineName | null;
}

export const chooseFiles = (repository: Repository, { file, quant, engine }: Needed): Choice => {
  if (file !== null) return withShards(repository, file);
  const ggufs = beginnings(repository);
  const hasFolder = repository.files.some(({ path }) => path.endsWith('.safetensors') && !path.includes('/'));
  const wantsFile = engine === 'llamacpp' || (!hasFolder && ggufs.length > 0);
  return wantsFile ? withShards(repository, oneOf(repository, ggufs, quant)) : folder(repository);
};

/** Files that an engine can be given: no further shards, no projectors of images. */
const beginnings = ({ files }: Repository): readonly string[] =>
  files
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.gguf') && !/(?:^|\/)mmproj/i.test(path) && !/-(?!00001-of-)\d{5}-of-\d{5}\.gguf$/i.test(path));

const oneOf = ({ repo }: Repository, ggufs: readonly string[], quant: string | null): string => {
  const fitting = quant === null ? ggufs : ggufs.filter((path) => hasWord(path, quant));
  const [only, ...more] = fitting;
  if (only !== undefined && more.length === 0) return only;
  const shown = (fitting.length === 0 ? ggufs : fitting).slice(0, 20).join(', ');
  throw new CauseError({
    code: only === undefined ? 'model_missing' : 'invalid_spec',
    message: `expected one GGUF file in ${repo}${quant === null ? '' : ` of quantisation ${quant}`}, found ${fitting.length}${shown === '' ? '' : `; there is ${shown}`}. Name the file, as in hf:${repo}/FILE, or set \`quant\``,
  });
};

/** `Q4_K` is not `Q4_K_M`. */
const hasWord = (path: string, word: string): boolean =>
  path.toLowerCase().split(/[./-]/).includes(word.toLowerCase().replaceAll('-', '_')) ||
  path.toLowerCase().split(/[./]/).includes(word.toLowerCase());

const withShards = ({ repo, commit, files }: Repository, main: string): Choice => {
  const wanted = shardsOf(main);
  const found = wanted.map((path) => files.find((file) => file.path === path));
  const missing = wanted.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) {
    throw new CauseError({
      code: 'model_missing',
      message: `expected ${missing.slice(0, 3).join(', ')} in ${repo} at ${commit.slice(0, 12)}, found ${files.length} other files; correct \`model\``,
    });
  }
  return { main, files: found.filter((file) => file !== undefined) };
};

const patterns = [/\.safetensors$/, /\.json$/, /\.jinja$/, /\.txt$/, /\.model$/, /\.tiktoken$/];

const folder = ({ repo, files }: Repository): Choice => {
  const chosen = files.filter(({ path }) => !path.includes('/') && !/^consolidated/.test(path) && patterns.some((pattern) => pattern.test(path)));
  if (chosen.some(({ path }) => path.endsWith('.safetensors'))) return { main: null, files: chosen };
  throw new CauseError({
    code: 'model_incompatible',
    message: `expected safetensors in ${repo}, found none; formats that run code when they are read are not fetched`,
  });
};
