/** A fresh look at the cards, then the node's leave: VRAM is reserved before there is a process. */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentModel } from '../present.ts';

export const admitting = pool.createStateConfig({
  initial: 'measuring',
  states: {
    measuring: {
      invoke: {
        id: 'measureGpus',
        src: 'measureGpus',
        input: ({ context }) => ({ spec: context.spec, model: presentModel(context.model) }),
        onDone: { target: 'asking', actions: { type: 'askAdmission', params: ({ event }) => event.output } },
        onError: {
          target: '#pool.offline.settling',
          actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'driver_error') }) },
        },
      },
    },
    asking: {
      on: {
        'admission.granted': {
          target: '#pool.starting.spawning',
          actions: [
            { type: 'keepAdmission', params: ({ event }) => event },
            { type: 'noteStart', params: ({ event }) => event },
          ],
        },
        'admission.refused': { target: '#pool.offline.settling', actions: { type: 'blame', params: ({ event }) => event } },
      },
      after: {
        admissionLimit: {
          target: '#pool.offline.settling',
          actions: { type: 'blame', params: { cause: { code: 'driver_error', message: 'the node did not answer the request for VRAM' } } },
        },
      },
    },
  },
  on: {
    'pool.drain': { target: '#pool.offline.settling', actions: 'wantDown' },
    'pool.remove': { target: '#pool.offline.settling', actions: 'markForRemoval' },
    'pool.shutDown': { target: '#pool.offline.settling', actions: 'markForShutDown' },
    'pool.reload': { guard: { type: 'changesSpec', params: ({ event }) => event }, target: '#pool.offline.settling', actions: 'takeUpSpec' },
    'gpus.unmatched': {
      target: '#pool.offline.settling',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
      ],
    },
  },
});
