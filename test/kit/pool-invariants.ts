/** What holds of a pool in every configuration, as a list of the sentences that are broken. */
import type { SnapshotFrom } from 'xstate';
import { pathOf } from '../../src/machines/policies/describe.ts';
import type { poolMachine } from '../../src/machines/pool/machine.ts';
import { poolView } from '../../src/machines/pool/view.ts';
import { reasonRow } from '../../src/machines/reasons.ts';

export type PoolSnapshot = SnapshotFrom<typeof poolMachine>;

const publicStates = ['uninitialized', 'provisioning', 'starting', 'ready', 'draining', 'offline'];

export const broken = (snapshot: PoolSnapshot): readonly string[] => {
  const { context } = snapshot;
  const path = pathOf(snapshot.value);
  const view = poolView(snapshot, { nodeId: 'n', since: 0, gpu: () => null });
  const attached = context.origin === 'attached';
  const children = Object.entries(snapshot.children).flatMap(([id, child]) => (child?.getSnapshot().status === 'active' ? [id] : []));
  const has = (...ids: readonly string[]) => children.some((id) => ids.includes(id));
  const endsIn = context.reason === null ? null : reasonRow(context.reason.code).endsIn;
  const implies = (when: boolean, then: boolean) => !when || then;
  const rules: Readonly<Record<string, boolean>> = {
    'is in exactly one public state, or ended': path === 'ended' || publicStates.filter((state) => path.split('.')[0] === state).length === 1,
    'is done once it has ended': (path === 'ended') === (snapshot.status === 'done'),
    'accepts work exactly where it is ready': snapshot.hasTag('accepting') === (view.state === 'ready') && view.ready === (view.state === 'ready'),
    'ready: the endpoint is known': implies(view.ready, view.endpoint !== null && view.endpoint !== ''),
    'ready: residency is proven or simulated': implies(view.ready && !attached, view.residency === 'proven' || view.residency === 'simulated'),
    'ready: no order stands against it': implies(
      view.ready,
      (attached || context.wanted === 'up') && context.nextSpec === null && !context.removing && !context.shuttingDown,
    ),
    'free slots are at most all slots': implies(
      view.slots_free !== null && view.slots_total !== null,
      (view.slots_free ?? 0) <= (view.slots_total ?? 0),
    ),
    'offline: no engine': implies(
      view.state === 'offline',
      !view.live && view.endpoint === null && (attached || context.run === null) && !has('engine', 'health', 'spawnEngine', 'stopEngine'),
    ),
    'live exactly by its tag': implies(snapshot.hasTag('live') && !attached, view.live) && implies(view.live, snapshot.hasTag('live')),
    'only spawning spawns': has('spawnEngine') === (path === 'starting.spawning'),
    'only stopping stops, and does so again': has('stopEngine') === /^draining\.(stopping|stuck\.again)$/.test(path),
    'an engine is watched only where it is live': implies(has('engine'), snapshot.hasTag('live')),
    'a live engine that is not being ended is watched': implies(
      snapshot.hasTag('live') && !path.startsWith('draining.stopping') && !path.startsWith('draining.stuck'),
      has('health') && (attached || has('engine')),
    ),
    'attached pools only prove, serve and rest': implies(
      attached,
      /^(ended|uninitialized.*|starting\.proving|ready\..*|offline\.(stopped|backingOff))$/.test(path),
    ),
    'stopped: nothing that is retried': implies(path === 'offline.stopped', endsIn === null || endsIn === 'stopped'),
    'blocked: by something that is waited for': implies(path === 'offline.blocked', endsIn === 'blocked'),
    'failed: for good': implies(path === 'offline.failed', endsIn === 'failed'),
    'backing off: with a time to try again': implies(path === 'offline.backingOff', context.reason !== null && context.retry !== null),
    'a time to try again only while backing off': implies(path !== 'offline.backingOff', context.retry === null),
    'stuck: says so, and what comes after': path.startsWith('draining.stuck') === (context.stuckOver !== null),
    'a recorded engine is pending only while it is identified': implies(context.recorded !== null, path.startsWith('starting.adopting')),
    'at rest no reload is under way': implies(/^(ended|offline\.(stopped|failed))$/.test(path), context.reload === null),
    'no new spec waits where no engine is in its way': implies(view.state === 'offline' || view.state === 'provisioning', context.nextSpec === null),
  };
  return Object.entries(rules).flatMap(([rule, holds]) => (holds ? [] : [`${path}: ${rule}`]));
};
