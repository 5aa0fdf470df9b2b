/**
 * What must be there in a given state. The chart guarantees it; a chart that does not is a bug and says so, killing this
 * one pool actor, which the node spawns again.
 */
import type { EnginePresent, ModelPresent, RunRecord } from '../vocabulary.ts';

const present =
  <T>(name: string) =>
  (value: T | null): T => {
    if (value === null) throw new Error(`the chart entered a state that needs ${name} without one`);
    return value;
  };

export const presentRun = present<RunRecord>('a run record');
export const presentEngine = present<EnginePresent>('an engine');
export const presentModel = present<ModelPresent>('a model');
