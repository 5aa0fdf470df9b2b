/** Refusals as the charts word them, in the words of the command line. */
import { expect, it } from 'vitest';
import { inOwnWords } from '../../src/cli/own-words.ts';
import { judgeCommand, poolCommandNames } from '../../src/machines/pool/commands.ts';

const healthy = { state: 'ready', substate: 'healthy', leaving: false, reloading: true } as const;

const pools = [
  { ...healthy, origin: 'file' },
  { ...healthy, origin: 'attached' },
  { ...healthy, origin: 'file', leaving: true },
] as const;

const refusals = pools.flatMap((pool) =>
  poolCommandNames.flatMap((command) => {
    const verdict = judgeCommand(pool, command);
    return verdict.ok ? [] : [verdict.message];
  }),
);

it('are told without the name that a command has in the API only', () => {
  expect(refusals.filter((message) => message.includes('preload'))).toHaveLength(3);
  expect(refusals.map(inOwnWords).filter((message) => message.includes('preload'))).toEqual([]);
});

it('say what there is to be typed', () => {
  const verdict = judgeCommand({ ...healthy, origin: 'file' }, 'resume');
  expect(inOwnWords(verdict.ok ? '' : verdict.message)).toBe(
    'expected a pool that is draining.emptying for resume, found it ready.healthy; "pool-managerd start" starts one that is down',
  );
});

it('are left alone where the word is a name', () => {
  const message = 'pool preload is declared in /etc/preload/pools.yaml; take it out of that file';
  expect(inOwnWords(message)).toBe(message);
});
