/** What the cards of a node come to for its pools: who is told what of its devices, and whose engine an error is of. Pure. */
import type { PoolEvent } from '../events.ts';
import { cardOf, type GpuStanding, type GpuStandings, matchUsable } from '../policies/gpu-standing.ts';
import { type Roster, type RosterEntry, withEntry } from '../policies/roster.ts';
import type { Inventory, Stamp, XidReport } from '../vocabulary.ts';
import type { NodeContext } from './context.ts';

/** Cards that are seen for the first time are born; of those that are gone the last is kept. */
export const withCards = (
  before: GpuStandings,
  { gpus }: Inventory,
  stamp: Stamp,
): { readonly gpus: GpuStandings; readonly born: readonly string[] } => {
  const seen = gpus.map(
    ({ uuid, index, pciAddress, name }) => [uuid, { ...(before[uuid] ?? unknown(uuid, stamp)), index, pciAddress, name, seenAt: stamp.at }] as const,
  );
  return { gpus: { ...before, ...Object.fromEntries(seen) }, born: gpus.map(({ uuid }) => uuid).filter((uuid) => before[uuid] === undefined) };
};

const unknown = (uuid: string, stamp: Stamp): GpuStanding => ({
  uuid,
  health: 'healthy',
  cause: null,
  linkCause: null,
  recommended: null,
  lastXid: null,
  xids: 0,
  stamp,
});

/** Each pool of ours is told once whether its devices are there and usable, and again when it is for another reason that they are not. */
export const tellDevices = (
  context: Pick<NodeContext, 'roster' | 'inventory' | 'gpus'>,
  inventory: Inventory,
  { at, mono }: Stamp,
): { readonly roster: Roster; readonly letters: readonly (readonly [actorId: string, event: PoolEvent])[] } => {
  let { roster } = context;
  const letters: (readonly [string, PoolEvent])[] = [];
  for (const entry of Object.values(context.roster)) {
    if (entry.origin === 'attached') continue;
    const match = matchUsable(entry, inventory, context);
    const told = match.matched ? 'matched' : 'unmatched';
    const lacks = match.matched ? null : match.cause.code;
    if (told === entry.told && lacks === entry.lacks) continue;
    roster = withEntry(roster, entry.poolId, { told, lacks, ...(match.matched && { pinned: match.gpus }) });
    const event: PoolEvent = match.matched
      ? { type: 'gpus.matched', gpus: match.gpus, at, mono }
      : { type: 'gpus.unmatched', cause: match.cause, at, mono };
    letters.push([entry.actorId, event]);
  }
  return { roster, letters };
};

/** Actors of pools whose engine an error is of: that of the process which the kernel names, else all on the card, or on the slice. */
export const struckBy = ({ roster, inventory }: NodeContext, uuid: string, { process, gpuInstanceId }: XidReport): readonly string[] => {
  if (inventory === null) return [];
  const slices = inventory.gpus.find((gpu) => gpu.uuid === uuid)?.mig ?? [];
  const spared = new Set(slices.filter((slice) => gpuInstanceId !== null && slice.gpuInstanceId !== gpuInstanceId).map((slice) => slice.uuid));
  const isHere = ({ origin, pinned }: RosterEntry): boolean =>
    origin !== 'attached' && (pinned ?? []).some((gpu) => !spared.has(gpu.uuid) && cardOf(gpu.uuid, inventory) === uuid);
  return Object.values(roster)
    .filter((entry) => isHere(entry) && (process === null || process.poolId === entry.poolId))
    .map(({ actorId }) => actorId);
};
