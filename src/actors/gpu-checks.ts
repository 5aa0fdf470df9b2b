/**
 * Which findings about cards are worth telling: what differs from what was told last, and every one of a card that is attended.
 *
 * A steady card is not spoken of. What was told of a card is kept as long as the daemon runs; cards are few.
 */
import { findingOf, findingOfFailure, type KnownCard, keyOf } from '../gpu/finding.ts';
import type { GpuEvent } from '../machines/events.ts';
import type { GpuFinding } from '../machines/vocabulary.ts';

type Check = Extract<GpuEvent, { readonly type: 'gpu.checked' }>;
type Look = Exclude<GpuEvent, { readonly type: 'gpu.checked' }>;

export interface GpuChecks {
  /** Of cards that were known before this look; to be told first. */
  ofKnown(look: Look, begunMono: number): readonly Check[];
  /** Of cards that this look is the first to show. */
  ofNew(look: Look, begunMono: number): readonly Check[];
  attend(uuids: readonly string[]): void;
}

const sound: ReadonlySet<string> = new Set([keyOf({ kind: 'sound', action: 'none' }), keyOf({ kind: 'sound', action: 'unknown' })]);

export const keepChecks = (): GpuChecks => {
  const known = new Map<string, KnownCard>();
  const told = new Map<string, string>();
  let attended: ReadonlySet<string> = new Set();

  const check = (card: KnownCard, finding: GpuFinding | null, { at, mono }: Look, begunMono: number): Check[] => {
    if (finding === null) return [];
    const key = keyOf(finding);
    const before = told.get(card.uuid);
    told.set(card.uuid, key);
    const news = before === undefined ? !sound.has(key) : before !== key;
    return news || attended.has(card.uuid) ? [{ type: 'gpu.checked', uuid: card.uuid, finding, begunMono, at, mono }] : [];
  };

  return {
    ofKnown: (look, begunMono) =>
      [...known.values()].flatMap((card) =>
        check(card, look.type === 'gpu.probeFailed' ? findingOfFailure(card, look.cause) : findingOf(card, look.inventory), look, begunMono),
      ),
    ofNew: (look, begunMono) => {
      if (look.type === 'gpu.probeFailed') return [];
      const { inventory } = look;
      const strange = inventory.gpus.filter(({ uuid }) => !known.has(uuid));
      for (const { uuid, index, pciAddress } of inventory.gpus) known.set(uuid, { uuid, index, pciAddress });
      return strange.flatMap((card) => check(card, findingOf(card, inventory), look, begunMono));
    },
    attend: (uuids) => {
      attended = new Set(uuids);
    },
  };
};
