/**
 * How the cards stand, as the node knows it from their charts, and whether a pool may be on its cards by that.
 *
 * Pure. What a pool is told of its devices is decided here: that they are there, and that they may be used.
 */
import type { Cause, GpuHealth, GpuRef, Inventory, RecoveryAction, Stamp } from '../vocabulary.ts';
import { type DeviceMatch, matchEntry, type Placed } from './match-devices.ts';

export interface GpuStanding {
  readonly uuid: string;
  readonly health: GpuHealth;
  /** Why it is not healthy; null: it is. */
  readonly cause: Cause | null;
  /** Why pools of several cards may not use it, though it is used. */
  readonly linkCause: Cause | null;
  /** What is to be done with it. `later`: when nothing uses it. Null: nothing, or nothing that is known. */
  readonly recommended: RecoveryAction | 'later' | null;
  readonly lastXid: { readonly code: number; readonly message: string; readonly at: number } | null;
  /** Xids since the daemon knows the card. */
  readonly xids: number;
  /** Of what brought it there. */
  readonly stamp: Stamp;
}

/** By UUID. What else is here is as last discovered: a lost card is not in the inventory any more. */
export type GpuStandings = Readonly<
  Record<string, GpuStanding & { readonly index: number; readonly pciAddress: string | null; readonly name: string; readonly seenAt: number }>
>;

export const isUsable = (health: GpuHealth): boolean => health === 'healthy' || health === 'suspect';

/** Cards that are looked at until they are well. */
export const unwell = (standings: GpuStandings): readonly string[] =>
  Object.values(standings)
    .filter(({ health }) => health !== 'healthy')
    .map(({ uuid }) => uuid);

/** A card that is known not to be usable says why; only then is asked whether the devices are there. `known`: by the look before. */
export const matchUsable = (
  entry: Placed,
  inventory: Inventory,
  { inventory: known, gpus: standings }: { readonly inventory: Inventory | null; readonly gpus: GpuStandings },
): DeviceMatch => {
  const pinned = entry.pinned === null ? null : refusal(entry.pinned, known ?? inventory, standings);
  if (pinned !== null) return { matched: false, cause: pinned };
  const match = matchEntry(entry, inventory);
  const cause = match.matched ? refusal(match.gpus, inventory, standings) : null;
  return cause === null ? match : { matched: false, cause };
};

/** Why a pool may not be on these cards; null: it may. */
const refusal = (gpus: readonly GpuRef[], inventory: Inventory, standings: GpuStandings): Cause | null => {
  const cards = [...new Set(gpus.map(({ uuid }) => cardOf(uuid, inventory)))];
  for (const uuid of cards) {
    const standing = standings[uuid];
    if (standing === undefined) continue;
    const cause = isUsable(standing.health) ? (cards.length > 1 ? standing.linkCause : null) : standing.cause;
    if (cause === null) continue;
    return { ...cause, message: `GPU ${standing.index} (${uuid}) is ${standing.health}: ${cause.message}`, details: { ...cause.details, gpu: uuid } };
  }
  return null;
};

/** The card that a slice is of. */
export const cardOf = (uuid: string, { gpus }: Inventory): string =>
  gpus.find((gpu) => gpu.uuid === uuid || gpu.mig?.some((slice) => slice.uuid === uuid))?.uuid ?? uuid;
