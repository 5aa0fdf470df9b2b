/** What an order makes of a pool's context. Pure; each function returns the parts that change. */
import type { PoolCommand } from '../events.ts';
import { freshRestart } from '../policies/restart.ts';
import type { Cause, DrainWhy } from '../vocabulary.ts';
import { reasoned } from './blame.ts';
import type { PoolContext } from './context.ts';
import { stampOf } from './failure.ts';

type Changes = Partial<PoolContext>;

/** Ordered by hand, which also resets the restart policy. */
export const wantUp = ({ restart }: PoolContext): Changes => ({ wanted: 'up', restart: { ...freshRestart, count: restart.count } });

/** Of a pool on its way down: whatever brought it there, it is to be started again at once. */
export const orderAgain = (context: PoolContext, event: unknown): Changes => ({
  ...wantUp(context),
  ...(context.nextSpec === null && reasoned(context, { code: 'operator', message: 'to be started again, as ordered', at: atOf(event) })),
});

export const wantDown = (context: PoolContext, event: unknown): Changes => ({
  wanted: 'down',
  ...reasoned(context, { code: 'operator', message: 'stopped by an operator', at: atOf(event) }),
});

export const wantRemoved = (context: PoolContext, event: unknown, cause: Cause = removed): Changes => ({
  removing: true,
  wanted: 'down',
  ...reasoned(context, { ...cause, at: atOf(event) }),
});

/** What is wanted stays as it is, for the next start of the daemon. */
export const shutDown = (context: PoolContext, event: unknown): Changes => ({
  shuttingDown: true,
  ...reasoned(context, { code: 'operator', message: 'the node is shutting down', at: atOf(event) }),
});

/** The order that stands, as the reason. */
export const orderOf = (context: PoolContext, event: unknown): Changes => {
  if (context.removing) return wantRemoved(context, event, recalledRemoval);
  if (context.shuttingDown) return shutDown(context, event);
  if (context.wanted === 'down') return wantDown(context, event);
  return {};
};

/** The same, as what an engine is drained for. */
export const turnsBackFor = ({ removing, shuttingDown, wanted, nextSpec }: PoolContext): DrainWhy => {
  if (removing) return 'remove';
  if (shuttingDown) return 'shutdown';
  if (wanted === 'down') return 'operator';
  return nextSpec === null ? 'gpu' : 'reload';
};

/** The spec that runs is kept to go back to; one that was never ready is not. */
export const takeUpSpec = (context: PoolContext, event: Extract<PoolCommand, { type: 'pool.reload' }>): Changes => {
  const { spec, specHash, operationId, at } = event;
  if (staysDown(context, event)) return { nextSpec: { spec, specHash }, reload: null };
  const runs = context.proof !== null || (context.recorded?.proof ?? null) !== null;
  const running = runs ? { spec: context.spec, specHash: context.specHash } : null;
  return {
    ...wantUp(context),
    nextSpec: { spec, specHash },
    reload: { operationId, previous: context.reload?.previous ?? running ?? event.previous ?? null, gaveUp: null, beside: false },
    ...(!context.removing && !context.shuttingDown && reasoned(context, { code: 'superseded', message: 'a new spec replaces this one', at })),
  };
};

export const staysDown = ({ wanted }: Pick<PoolContext, 'wanted'>, { byDeclaration }: { readonly byDeclaration?: true }): boolean =>
  byDeclaration === true && wanted === 'down';

/** The engine stays: what is new are times, probes and the restart policy, also of a spec that waits. */
export const adjustSpec = ({ nextSpec, run }: PoolContext, spec: PoolContext['spec']): Changes =>
  nextSpec === null ? { spec, run: run && { ...run, spec } } : { nextSpec: { ...nextSpec, spec } };

export const switchSpec = ({ nextSpec }: PoolContext): Changes =>
  nextSpec === null ? {} : { ...nextSpec, nextSpec: null, engine: null, model: null };

/** The spec that ran before is brought back. */
export const rollBack = ({ reload, reason }: PoolContext): Changes =>
  reload === null || reload.previous === null || reason === null
    ? {}
    : { ...reload.previous, engine: null, model: null, reload: { ...reload, gaveUp: { code: reason.code, message: reason.message } } };

/** The engine of the old spec goes on: it has not been ended yet. Times that it has no part in stay as they were declared meanwhile. */
export const cancelReload = ({ reload, nextSpec, specHash, run }: PoolContext): Changes => ({
  nextSpec: null,
  ...(nextSpec?.specHash === specHash && { spec: nextSpec.spec, run: run && { ...run, spec: nextSpec.spec } }),
  reload: reload && { ...reload, gaveUp: { code: 'operator', message: 'resumed before the old engine was ended' } },
});

/** Of what a daemon finds, and no order is known for. */
const recalledRemoval: Cause = {
  code: 'removed',
  message: 'nothing declares this engine any more: the pool was removed, or goes on with another engine',
};
const removed: Cause = { code: 'removed', message: 'the pool is being removed' };

const atOf = (event: unknown): number | null => stampOf(event)?.at ?? null;
