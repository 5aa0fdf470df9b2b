/**
 * The tour: one pool through every public state, engine killed on the way, then the end of the daemon and the fold of its
 * journal. Resolves with what was not seen; null: all of it was.
 */
import type { Stage } from '../stage.ts';
import { tourSteps } from './steps.ts';
import { walkAll } from './walk.ts';
import { createWitness } from './witness.ts';

/** A real engine may have a real model to load. */
const stepLimitMs = { stub: 15_000, 'llama-server': 300_000 } as const;

export const runTour = async (stage: Stage, signal: AbortSignal, say: (line: string) => void): Promise<string | null> => {
  for (const line of stage.introduction) say(line);
  const over = new AbortController();
  void stage.daemon.exited.then(() => over.abort());
  const ended = AbortSignal.any([signal, over.signal]);
  const witness = createWitness(stage, ended);
  try {
    return await walkAll(tourSteps({ stage, witness, signal: ended, limitMs: stepLimitMs[stage.engine.kind] }), say);
  } finally {
    over.abort();
    await witness.following.catch(() => undefined);
  }
};
