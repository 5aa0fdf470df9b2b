/**
 * Which commands a pool takes where it stands: the rule of the API. Everything else is desired state, and is taken everywhere.
 *
 * Pure, and of the public words only. What a taken command does is the chart's; `docs/pool-table.md` shows it.
 */
import type { PoolOrigin, PoolState } from '../vocabulary.ts';

export type PoolCommandName = 'preload' | 'drain' | 'resume' | 'reload' | 'remove';

export const poolCommandNames: readonly PoolCommandName[] = ['preload', 'drain', 'resume', 'reload', 'remove'];

export interface CommandView {
  readonly origin: PoolOrigin;
  readonly state: PoolState;
  readonly substate: string;
  /** Its end has been ordered, or the pools file dropped it. */
  readonly leaving: boolean;
  /** A reload has been taken and has not come to its end. */
  readonly reloading: boolean;
}

export type CommandVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** What was asked, where the pool stands, and what to do. */
      readonly message: string;
      readonly accepts: readonly PoolCommandName[];
    };

export const judgeCommand = (view: CommandView, command: PoolCommandName): CommandVerdict => {
  const message = refusal(view, command);
  return message === null ? { ok: true } : { ok: false, message, accepts: acceptedCommands(view) };
};

export const acceptedCommands = (view: CommandView): readonly PoolCommandName[] => poolCommandNames.filter((name) => refusal(view, name) === null);

const refusal = (view: CommandView, command: PoolCommandName): string | null => {
  const where = view.substate === '' ? view.state : `${view.state}.${view.substate}`;
  if (view.origin === 'attached')
    return `expected a pool of this daemon for ${command}, found an attached one (${where}): its engine belongs to whoever wrote its handoff file; order it there`;
  if (view.leaving && command !== 'remove')
    return `expected a pool that stays for ${command}, found it ${where} and being removed; declare it again, in the pools file or over the API once it is gone`;
  if (command === 'resume' && !isEmptying(view))
    return `expected a pool that is draining.emptying for resume, found it ${where}; preload starts one that is down`;
  if (command === 'reload' && isReloading(view))
    return `expected a pool without a reload under way for reload, found it ${where} with one; its outcome comes in the events of the pool`;
  return null;
};

const isEmptying = ({ state, substate }: CommandView): boolean => state === 'draining' && substate.startsWith('emptying');

/** At rest, a reload that came to nothing yet may be replaced: it may be the remedy. */
const isReloading = ({ state, reloading }: CommandView): boolean => reloading && state !== 'offline';
