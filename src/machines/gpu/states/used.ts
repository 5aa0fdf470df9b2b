/** Cards that pools use: nothing is known against them, or nothing that lasts. */
import { gpu } from '../setup.ts';

export const healthy = gpu.createStateConfig({
  entry: ['beWell', { type: 'tell', params: { health: 'healthy' } }],
  on: {
    'gpu.checked': {
      guard: { type: 'finds', params: { kind: 'failing' } },
      target: 'suspect',
      actions: ['beginCounting', 'countLook', 'blameLook'],
    },
    'gpu.xid': [
      {
        guard: { type: 'xidSays', params: { one: ['reset', 'reboot'] } },
        target: 'unhealthy',
        actions: ['beginCounting', 'blameXid', 'noteXid', 'askLook'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['restart'] } },
        target: 'suspect',
        actions: ['beginCounting', 'reportFault', 'blameXid', 'noteXid', 'askLook'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['link', 'watch'] } },
        target: 'suspect',
        actions: ['beginCounting', 'blameXid', 'noteXid', 'askLook'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['note', 'later', 'cleared'] } },
        actions: ['noteXid', { type: 'tell', params: { health: 'healthy' } }],
      },
    ],
  },
});

/** Something was wrong, and pools go on using it. */
export const suspect = gpu.createStateConfig({
  entry: { type: 'tell', params: { health: 'suspect' } },
  on: {
    'gpu.checked': [
      { guard: 'isWell', target: 'healthy', actions: 'countLook' },
      {
        guard: 'failsForGood',
        target: 'unhealthy',
        actions: ['countLook', 'blameLook'],
      },
      {
        guard: { type: 'finds', params: { kind: 'failing' } },
        actions: ['countLook', 'blameLook'],
      },
      {
        guard: { type: 'finds', params: { kind: 'sound' } },
        actions: 'countLook',
      },
    ],
    'gpu.xid': [
      {
        guard: { type: 'xidSays', params: { one: ['reset', 'reboot'] } },
        target: 'unhealthy',
        actions: ['beginCounting', 'blameXid', 'noteXid', 'askLook'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['restart'] } },
        actions: ['beginCounting', 'reportFault', 'blameXid', 'noteXid', { type: 'tell', params: { health: 'suspect' } }],
      },
      {
        guard: { type: 'xidSays', params: { one: ['link', 'watch'] } },
        actions: ['beginCounting', 'blameXid', 'noteXid', { type: 'tell', params: { health: 'suspect' } }],
      },
      {
        guard: { type: 'xidSays', params: { one: ['note', 'later', 'cleared'] } },
        actions: ['noteXid', { type: 'tell', params: { health: 'suspect' } }],
      },
    ],
  },
});
