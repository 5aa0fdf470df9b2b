/** What the checks of pools look at: the store, the PATH, the cards and the ports, as the daemon would see them. */
import type { Environment } from '../../../../config/environment.ts';
import type { Inventory } from '../../../../machines/vocabulary.ts';
import type { HubSettings } from '../../../../provisioning/hub/settings.ts';
import type { EngineStore } from '../../../../provisioning/look-for-engine.ts';
import type { Claims } from './claims.ts';

export interface PoolsAround extends EngineStore {
  readonly hub: HubSettings;
  readonly path: string;
  readonly claims: Claims;
  readonly launcher: Environment['launcher'];
  /** Null: the cards cannot be listed. */
  readonly inventory: Inventory | null;
}
