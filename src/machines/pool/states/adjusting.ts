/** New times, probes and restart policy for an engine that is watched: those who watch it begin anew, by them. */
import { pool } from '../actions.ts';
import type { ProbePace } from '../actors.ts';

export const adjusting = (pace: ProbePace) =>
  pool.createStateConfig({
    on: {
      'spec.adjusted': {
        guard: { type: 'isOfOwnSpec', params: ({ event }) => event },
        actions: [{ type: 'adjustSpec', params: ({ event }) => event }, 'stopWatching', { type: 'startWatching', params: { pace } }],
      },
    },
  }).on;
