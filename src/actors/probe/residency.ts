/**
 * What an engine's processes hold, on its GPUs and of host memory, against what they would with the model wholly in VRAM.
 *
 * While an engine serves it is measured at an interval, and two violations in a row are one: a card is read a little later than
 * memory moves. Never rejects; what cannot be read is not known.
 */

import { readShape } from '../../gpu/estimate/read-shape.ts';
import { type Held, heldInWords, type ResidentBounds, residencyViolation, residentBounds } from '../../gpu/resident.ts';
import type { Cause, RunRecord } from '../../machines/vocabulary.ts';
import { readAnonymousBytes } from '../../os/proc-memory.ts';
import { isAttached } from './endpoint-of.ts';

export interface ResidencyDeps {
  /** What its processes hold on its GPUs; null: the driver does not list them, as in a container. */
  readonly vramUsedBytes: (run: RunRecord) => Promise<number | null> | number | null;
  readonly membersOf: (run: RunRecord) => Promise<readonly { readonly pid: number }[]>;
}

export interface Measured {
  readonly violation: Cause | null;
  /** Null: not known. */
  readonly vramBytes: number | null;
  /** What was found, in words. */
  readonly evidence: readonly string[];
}

/** Once, for the proof. Of simulated cards and somebody else's engine nothing is measured. */
export const measureResidency = async (run: RunRecord, deps: ResidencyDeps): Promise<Measured> => {
  if (run.simulated || isAttached(run)) return { violation: null, vramBytes: null, evidence: [] };
  return measure(run, await boundsOf(run), deps);
};

export interface ResidencyWatch {
  /** Measures if it is time to. The Cause of a violation that lasts. */
  judge(mono: number): Promise<Cause | null>;
}

const intervalMs = 10_000;

export const watchResidency = (run: RunRecord, deps: ResidencyDeps | null, everyMs = intervalMs): ResidencyWatch => {
  if (deps === null || run.simulated || isAttached(run)) return { judge: async () => null };
  let bounds: ResidentBounds | null = null;
  let dueMono = 0;
  let violatedBefore = false;
  return {
    judge: async (mono) => {
      if (mono < dueMono) return null;
      dueMono = mono + everyMs;
      bounds ??= await boundsOf(run);
      const { violation } = await measure(run, bounds, deps);
      const lasts = violation !== null && violatedBefore;
      violatedBefore = violation !== null;
      return lasts ? violation : null;
    },
  };
};

const measure = async (run: RunRecord, bounds: ResidentBounds, deps: ResidencyDeps): Promise<Measured> => {
  const held: Held = { vramBytes: await vramOf(run, deps), hostBytes: await hostOf(run, deps) };
  return { violation: residencyViolation(bounds, held), vramBytes: held.vramBytes, evidence: heldInWords(bounds, held) };
};

const boundsOf = async ({ spec, model }: RunRecord): Promise<ResidentBounds> => {
  const shape = model.path === null ? null : await readShape(model.path).catch(() => null);
  return residentBounds(spec, { ...model, shape });
};

const vramOf = async (run: RunRecord, { vramUsedBytes }: ResidencyDeps): Promise<number | null> => {
  try {
    return await vramUsedBytes(run);
  } catch {
    return null;
  }
};

/** Of its whole tree: an engine whose workers cannot be seen is not known. */
const hostOf = async (run: RunRecord, { membersOf }: ResidencyDeps): Promise<number | null> => {
  const members = await membersOf(run).catch(() => []);
  const bytes = members.map(({ pid }) => readAnonymousBytes(pid)).filter((one) => one !== null);
  return bytes.length === 0 ? null : bytes.reduce((sum, one) => sum + one, 0);
};
