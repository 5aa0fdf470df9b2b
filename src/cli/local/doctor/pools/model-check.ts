/** The model of a pool: on the machine, in the cache, or still to be downloaded. Nothing is asked, fetched or hashed for it. */
import { NotGguf } from '../../../../gpu/estimate/gguf-header.ts';
import { readShape } from '../../../../gpu/estimate/read-shape.ts';
import type { PoolSpec } from '../../../../machines/vocabulary.ts';
import { shownUrl } from '../../../../provisioning/fetch/failures.ts';
import { lookForModel } from '../../../../provisioning/models/find-model.ts';
import { inspectModel } from '../../../../provisioning/models/inspect.ts';
import type { WantedModel } from '../../../../provisioning/models/wanted.ts';
import { modelOf } from '../../../../provisioning/provisioning.ts';
import { bytes } from '../../../words.ts';
import { type Check, fail, inWords, ok, warn } from '../check.ts';
import type { PoolsAround } from './around.ts';

const name = 'model';

/** Null: the pool needs none. Throws CauseError where a start would. */
export const modelCheck = async (spec: PoolSpec, around: PoolsAround): Promise<Check | null> => {
  const wanted = modelOf(spec, false);
  if (wanted === null) return null;
  const path = await lookForModel(around, wanted);
  if (path === null) return ok(name, `${shown(wanted)} is not here yet: downloaded at the first start, or now by pool-managerd pull`);
  const found = await inspectModel(path, spec);
  const problem = spec.engine === 'llamacpp' && found.shape === null ? await headerProblem(path) : null;
  if (problem !== null) return problem;
  const size = found.bytes === null ? 'of a size that is not known' : bytes(found.bytes);
  return ok(name, `${path}, ${size}${isPath(wanted) && wanted.checksum !== null ? ', its checksum is verified at the start' : ''}`);
};

/** Null: it can be read after all. What is no GGUF file llama-server never loads; a header that only we cannot read it may. */
const headerProblem = (path: string): Promise<Check | null> =>
  readShape(path).then(
    () => null,
    (thrown: unknown) =>
      thrown instanceof NotGguf
        ? fail(name, `${path}: ${thrown.message}`, 'set `model` to a GGUF file, or get this one anew')
        : warn(name, `${path}: its header cannot be read: ${inWords(thrown)}`, 'get it anew if it was cut short; else its engine may know better'),
  );

/** What is fetched was verified when it came. */
const isPath = ({ reference }: WantedModel): boolean => !/^(?:https?|hf):/i.test(reference);

/** A query may be a secret. */
const shown = ({ reference }: WantedModel): string => (/^https?:/i.test(reference) ? shownUrl(reference) : reference);
