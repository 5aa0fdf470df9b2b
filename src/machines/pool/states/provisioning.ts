/**
 * Engine and model are being made present; nothing runs. Part files and leases on disk are what a restart resumes from.
 *
 * Whoever provisions says what it is at; what is there already goes from `resolving` straight to `present`.
 */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';

const engine = pool.createStateConfig({
  initial: 'resolving',
  invoke: {
    id: 'provisionEngine',
    src: 'provisionEngine',
    input: ({ context }) => ({ spec: context.spec }),
    onDone: { target: '.present', actions: { type: 'keepEngine', params: ({ event }) => ({ engine: event.output }) } },
    onError: {
      target: '#pool.offline.settling',
      actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'engine_missing') }) },
    },
  },
  states: {
    resolving: {
      on: {
        'provision.advanced': [
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'fetching' }) }, target: 'fetching' },
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'verifying' }) }, target: 'verifying' },
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'building' }) }, target: 'building' },
        ],
      },
    },
    fetching: {
      on: {
        'provision.advanced': [
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'verifying' }) }, target: 'verifying' },
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'building' }) }, target: 'building' },
        ],
      },
    },
    /** What does not verify may be fetched again. */
    verifying: {
      on: {
        'provision.advanced': [
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'fetching' }) }, target: 'fetching' },
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'engine', phase: 'building' }) }, target: 'building' },
        ],
      },
    },
    building: {},
    present: { type: 'final' },
  },
});

const model = pool.createStateConfig({
  initial: 'resolving',
  invoke: {
    id: 'provisionModel',
    src: 'provisionModel',
    input: ({ context }) => ({ spec: context.spec }),
    onDone: { target: '.present', actions: { type: 'keepModel', params: ({ event }) => ({ model: event.output }) } },
    onError: {
      target: '#pool.offline.settling',
      actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'model_missing') }) },
    },
  },
  states: {
    resolving: {
      on: {
        'provision.advanced': [
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'model', phase: 'fetching' }) }, target: 'fetching' },
          { guard: { type: 'advances', params: ({ event }) => ({ event, step: 'model', phase: 'verifying' }) }, target: 'verifying' },
        ],
      },
    },
    fetching: {
      on: {
        'provision.advanced': {
          guard: { type: 'advances', params: ({ event }) => ({ event, step: 'model', phase: 'verifying' }) },
          target: 'verifying',
        },
      },
    },
    verifying: {
      on: {
        'provision.advanced': {
          guard: { type: 'advances', params: ({ event }) => ({ event, step: 'model', phase: 'fetching' }) },
          target: 'fetching',
        },
      },
    },
    present: { type: 'final' },
  },
});

export const provisioning = pool.createStateConfig({
  type: 'parallel',
  entry: ['clearReason', 'forgetProgress', { type: 'announce', params: { state: 'provisioning' } }, { type: 'remember', params: { phase: null } }],
  states: { engine, model },
  onDone: { target: 'starting.admitting' },
  on: {
    'progress.made': { actions: { type: 'keepProgress', params: ({ event }) => event } },
    'pool.start': { actions: ['wantUp', 'saveMemory'] },
    'pool.drain': { target: 'offline.settling', actions: 'wantDown' },
    'pool.remove': { target: 'offline.settling', actions: 'markForRemoval' },
    'pool.shutDown': { target: 'offline.settling', actions: 'markForShutDown' },
    'pool.reload': {
      guard: { type: 'changesSpec', params: ({ event }) => event },
      target: 'provisioning',
      reenter: true,
      actions: ['takeUpSpec', 'switchSpec'],
    },
    'gpus.unmatched': {
      target: 'offline.settling',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
      ],
    },
  },
});
