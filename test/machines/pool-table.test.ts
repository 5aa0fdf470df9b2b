/** The pool's table is that of its chart, and what was walked through to make it holds to the invariants. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { pathOf } from '../../src/machines/policies/describe.ts';
import { judgeCommand, type PoolCommandName } from '../../src/machines/pool/commands.ts';
import { stateOf } from '../../src/machines/pool/view.ts';
import { commands } from '../../tools/pool-table/events.ts';
import { type Exploration, explore } from '../../tools/pool-table/explore.ts';
import { poolTable } from '../../tools/pool-table/table.ts';
import { broken } from '../kit/pool-invariants.ts';

let found: Exploration;
beforeAll(() => {
  found = explore();
}, 60_000);

it('docs/pool-table.md is up to date', () => {
  const file = join(import.meta.dirname, '..', '..', 'docs', 'pool-table.md');
  expect(readFileSync(file, 'utf8'), 'run: node tools/write-pool-table.ts').toBe(poolTable(found));
});

describe('every configuration that can be reached', () => {
  it('holds to the invariants', () => {
    expect(found.configurations.length).toBeGreaterThan(300);
    expect(found.configurations.flatMap((snapshot) => (snapshot.status === 'active' ? broken(snapshot) : []))).toEqual([]);
  });

  it('takes every command that the API takes, and moves by none that it refuses', () => {
    const byEvent: Readonly<Record<string, PoolCommandName>> = { preload: 'preload', drain: 'drain', resume: 'resume', remove: 'remove' };
    for (const snapshot of found.configurations) {
      if (snapshot.status !== 'active' || snapshot.context.origin === 'attached') continue;
      const path = pathOf(snapshot.value);
      const state = stateOf(snapshot.value);
      const view = {
        origin: snapshot.context.origin,
        state,
        substate: path.slice(state.length + 1),
        reloading: snapshot.context.reload !== null,
        leaving: false,
      };
      for (const [event, command] of Object.entries(byEvent))
        for (const sent of commands[event] ?? []) if (!judgeCommand(view, command).ok) expect(snapshot.can(sent), `${event} in ${path}`).toBe(false);
    }
  });
});
