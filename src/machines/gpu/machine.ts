/**
 * The health of one card.
 *
 * healthy ⇄ suspect → unhealthy → quarantined, lost → recovering → healthy
 *
 * Pure. Pools use a card that is healthy or suspect; what becomes of them is the node's. Never resets a card: what NVIDIA says
 * to do is told, and the way back is three good looks with nothing left to do.
 */
import { initialContext } from './context.ts';
import { gpu } from './setup.ts';

const healthy = gpu.createStateConfig({
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
const suspect = gpu.createStateConfig({
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

/** Not used from here on; for a moment the driver may still say what is to be done. */
const unhealthy = gpu.createStateConfig({
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
      guard: { type: 'xidSays', params: { one: ['note', 'restart', 'link', 'later', 'reset', 'reboot', 'cleared', 'watch'] } },
      actions: ['noteXid', { type: 'tell', params: { health: 'unhealthy' } }],
    },
  },
  after: {
    settle: [{ guard: 'mayReturnAfterAll', target: 'recovering', actions: ['endDemand', 'beginCounting'] }, { target: 'quarantined' }],
  },
});

/** Not used until what has to be done was done. */
const quarantined = gpu.createStateConfig({
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
      guard: { type: 'xidSays', params: { one: ['note', 'restart', 'link', 'later', 'reset', 'reboot', 'cleared', 'watch'] } },
      actions: ['noteXid', { type: 'tell', params: { health: 'quarantined' } }],
    },
  },
});

/** The driver does not list it, or the kernel says that it is gone. */
const lost = gpu.createStateConfig({
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
const recovering = gpu.createStateConfig({
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

export const gpuMachine = gpu.createMachine({
  id: 'gpu',
  context: ({ input }) => initialContext(input),
  initial: 'healthy',
  states: { healthy, suspect, unhealthy, quarantined, lost, recovering },
  // Whatever it was: these come first.
  on: {
    'gpu.checked': [
      {
        guard: { type: 'finds', params: { kind: 'away' } },
        target: '.lost',
        actions: 'noteAway',
      },
      {
        guard: { type: 'finds', params: { kind: 'demanding' } },
        target: '.quarantined',
        actions: 'takeDemand',
      },
    ],
    'gpu.xid': [
      {
        guard: { type: 'xidSays', params: { one: ['lost'] } },
        target: '.lost',
        actions: ['blameXid', 'noteXid'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['told'] } },
        target: '.quarantined',
        actions: ['blameXid', 'noteXid'],
      },
    ],
  },
});

export type GpuMachine = typeof gpuMachine;
