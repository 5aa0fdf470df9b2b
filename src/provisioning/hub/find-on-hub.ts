/** From `hf:org/repo[/file][@revision]` to a path: what is there is taken without asking the hub, the rest is fetched. */
import { CauseError } from '../../cause.ts';
import type { EnsureModel } from '../models/ensure.ts';
import { presentModel } from '../models/ensure.ts';
import type { Asked } from '../models/record.ts';
import type { Reference } from '../models/reference.ts';
import type { WantedModel } from '../models/wanted.ts';
import type { Passenger } from '../store/flights.ts';
import type { StorePaths } from '../store/paths.ts';
import { chooseFiles } from './choose.ts';
import { hubKey, inHubCache, planHub } from './plan.ts';
import { askRepository } from './repository.ts';
import type { HubSettings } from './settings.ts';

export interface HubStore {
  readonly hub: HubSettings;
  readonly store: StorePaths;
  readonly hubDir: string;
  readonly ensure: EnsureModel;
}

type HubReference = Extract<Reference, { kind: 'hub' }>;

export const findOnHub = async (
  { hub, store, hubDir, ensure }: HubStore,
  asked: HubReference,
  wanted: WantedModel,
  passenger: Passenger,
): Promise<string> => {
  const { repo, file, revision } = asked;
  const path = await presentOnHub({ hub, store, hubDir }, asked, wanted);
  if (path !== null) return path;
  const repository = await askRepository(hub, repo, revision);
  const choice = chooseFiles(repository, { file, quant: wanted.quant, engine: wanted.engine });
  const planned = { asked: questionOf(asked, wanted), hubDir, endpoint: hub.endpoint(), token: await hub.token(), reference: wanted.reference };
  return (await ensure(store, planHub(repository, choice, planned), passenger)).path;
};

/** Asks nobody. Null: the hub is to be asked. Throws CauseError where it must not be. */
export const presentOnHub = async (
  { hub, store, hubDir }: Omit<HubStore, 'ensure'>,
  asked: HubReference,
  wanted: WantedModel,
): Promise<string | null> => {
  if (wanted.checksum !== null) {
    throw new CauseError({
      code: 'invalid_spec',
      message:
        'expected no `model_source.checksum` with hf:, since the hub names the digest of every file, found one; pin a commit with @revision instead',
    });
  }
  if (!wanted.refresh) {
    const { repo, file, revision } = asked;
    const present = await presentModel(store.modelRecords, hubKey(hubDir, questionOf(asked, wanted)));
    const path = present?.path ?? (file === null ? null : await inHubCache(hubDir, repo, revision, file));
    if (path !== null) return path;
  }
  if (!hub.offline) return null;
  throw new CauseError({
    code: 'model_missing',
    message: `expected ${wanted.reference} in ${hubDir}, found it not there, or not whole; HF_HUB_OFFLINE is set, so that it is not asked for`,
  });
};

const questionOf = ({ repo, file, revision }: HubReference, { quant, engine }: WantedModel): Asked => ({
  repo,
  file,
  revision,
  quant,
  form: engine === null ? null : engine === 'llamacpp' ? 'file' : 'folder',
});
