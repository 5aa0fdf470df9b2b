/** Cards that no pool uses, and their way back. */
import { gpu } from '../setup.ts';

/** What is only noted here; where the rest leads, the chart itself says. */
const noted = ['note', 'restart', 'link', 'later', 'reset', 'reboot', 'cleared', 'watch'] as const;

/** Not used from here on; for a moment the driver may still say what is to be done. */
export const unhealthy = gpu.createStateConfig({
  entry: { type: 'tell', params: { health: 'unhealthy' } },
  on: {
    'gpu.checked': [
      {
        guard: { type: 'finds', params: { kind: 'sound' } },
        actions: 'countLook',
      },
      {
        guard: { type: 'finds', params: { kind: 'failing' } },
        actions: 'countLook',
      },
    ],
    'gpu.xid': {
      guard: { type: 'xidSays', params: { one: noted } },
      actions: ['noteXid', { type: 'tell', params: { health: 'unhealthy' } }],
    },
  },
  after: {
    settle: [{ guard: 'mayReturnAfterAll', target: 'recovering', actions: ['endDemand', 'beginCounting'] }, { target: 'quarantined' }],
  },
});

/** Not used until what has to be done was done. */
export const quarantined = gpu.createStateConfig({
  entry: { type: 'tell', params: { health: 'quarantined' } },
  on: {
    'gpu.checked': [
      {
        guard: 'mayReturn',
        target: 'recovering',
        actions: ['endDemand', 'beginCounting', 'countLook'],
      },
      {
        guard: { type: 'finds', params: { kind: 'sound' } },
        actions: 'countLook',
      },
      {
        guard: { type: 'finds', params: { kind: 'failing' } },
        actions: 'countLook',
      },
    ],
    'gpu.xid': {
      guard: { type: 'xidSays', params: { one: noted } },
      actions: ['noteXid', { type: 'tell', params: { health: 'quarantined' } }],
    },
  },
});

/** The driver does not list it, or the kernel says that it is gone. */
export const lost = gpu.createStateConfig({
  entry: { type: 'tell', params: { health: 'lost' } },
  on: {
    'gpu.checked': [
      {
        guard: { type: 'finds', params: { kind: 'away' } },
        actions: ['noteAway', { type: 'tell', params: { health: 'lost' } }],
      },
      {
        guard: 'mayReturn',
        target: 'recovering',
        actions: ['endDemand', 'beginCounting', 'countLook'],
      },
      {
        guard: { type: 'finds', params: { kind: 'sound' } },
        actions: 'countLook',
      },
    ],
    'gpu.xid': {
      guard: { type: 'xidSays', params: { one: ['note', 'restart', 'link', 'later', 'reset', 'reboot', 'told', 'cleared', 'watch'] } },
      actions: ['noteXid', { type: 'tell', params: { health: 'lost' } }],
    },
  },
});

/** Nothing is left to be done; it has to be seen well some more times. */
export const recovering = gpu.createStateConfig({
  entry: { type: 'tell', params: { health: 'recovering' } },
  on: {
    'gpu.checked': [
      { guard: 'isWell', target: 'healthy', actions: 'countLook' },
      {
        guard: { type: 'finds', params: { kind: 'failing' } },
        target: 'unhealthy',
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
        guard: { type: 'xidSays', params: { one: ['note', 'restart', 'link', 'later', 'cleared', 'watch'] } },
        actions: ['beginCounting', 'noteXid', { type: 'tell', params: { health: 'recovering' } }],
      },
    ],
  },
});
