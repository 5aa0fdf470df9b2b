/**
 * Whether an engine that measures its own VRAM says that the whole model is in it. Pure.
 *
 * `proven` needs what it measured while it loaded to be nearly all of the weights, and a KV cache that it named. The wordings
 * differ by version: nothing parsed is `unproven`.
 */
import type { Residency, RunRecord } from '../machines/vocabulary.ts';

export interface Wordings {
  /** Captures GiB that one GPU took for weights. */
  readonly weights: RegExp;
  readonly cache: RegExp;
  readonly violation: RegExp;
}

const gib = 1024 ** 3;
/** Formats pad and convert: less than that is not the same model. */
const nearlyAll = 0.9;
const longestLine = 300;

export const measuredResidency = (
  log: readonly string[],
  { model, gpus }: Pick<RunRecord, 'model' | 'gpus'>,
  wordings: Wordings,
): { readonly verdict: Residency; readonly evidence: readonly string[] } => {
  const lines = log.map((line) => line.trim().slice(0, longestLine));
  const evidence = lines.filter((line) => Object.values(wordings).some((wording: RegExp) => wording.test(line)));
  if (evidence.some((line) => wordings.violation.test(line))) return { verdict: 'violated', evidence };
  // Of several GPUs some versions speak of one only, and each has an even part.
  const onOne = Math.max(0, ...evidence.map((line) => Number(wordings.weights.exec(line)?.[1] ?? 0)));
  const whole = model.bytes !== null && onOne * gib * Math.max(1, gpus.length) >= nearlyAll * model.bytes;
  return { verdict: whole && evidence.some((line) => wordings.cache.test(line)) ? 'proven' : 'unproven', evidence };
};
