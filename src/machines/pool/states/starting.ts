/**
 * From files on disk to a proven engine. VRAM is reserved before the process exists; `loading` ends with a handoff for this
 * incarnation; `proving` ends with the proof its origin asks for. From `spawning` on, every way out leads through `draining`.
 */
import { pool } from '../actions.ts';
import { admitting } from './admitting.ts';
import { adopting } from './adopting.ts';
import { loading } from './loading.ts';
import { proving } from './proving.ts';
import { spawning } from './spawning.ts';

export const starting = pool.createStateConfig({
  initial: 'admitting',
  entry: { type: 'announce', params: { state: 'starting' } },
  states: { adopting, admitting, spawning, loading, proving },
  // Once an engine runs, an order or a loss ends it; before that the children above answer.
  on: {
    'pool.start': { guard: 'isManaged', actions: ['wantUp', 'saveMemory'] },
    'pool.drain': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: ['wantDown', { type: 'beginDrain', params: { why: 'operator', deadlineMs: 0 } }],
    },
    'pool.remove': [
      {
        guard: 'runsEngine',
        target: '#pool.draining.stopping',
        actions: ['markForRemoval', { type: 'beginDrain', params: { why: 'remove', deadlineMs: 0 } }],
      },
      { target: '#pool.offline.settling', actions: 'markForRemoval' },
    ],
    'pool.shutDown': [
      {
        guard: 'runsEngine',
        target: '#pool.draining.stopping',
        actions: ['markForShutDown', { type: 'beginDrain', params: { why: 'shutdown', deadlineMs: 0 } }],
      },
      { target: '#pool.offline.settling', actions: 'markForShutDown' },
    ],
    'pool.reload': {
      guard: { type: 'runsOtherSpec', params: ({ event }) => event },
      target: '#pool.draining.stopping',
      actions: ['takeUpSpec', { type: 'beginDrain', params: { why: 'reload', deadlineMs: 0 } }],
    },
    'gpus.unmatched': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'gpu', deadlineMs: 0 } },
      ],
    },
    'health.failed': {
      guard: { type: 'isForeign', params: ({ event }) => event },
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
    'engine.faulted': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
    'residency.violated': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
    'engine.exited': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
  },
});
