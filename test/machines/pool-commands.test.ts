/** Which commands a pool takes: the rule of the API, held against the chart. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { PoolCommandName as NameAtTheRim } from '../../src/http/ports.ts';
import { acceptedCommands, type CommandView, judgeCommand, type PoolCommandName, poolCommandNames } from '../../src/machines/pool/commands.ts';

const view = (state: CommandView['state'], substate: string, own: Partial<CommandView> = {}): CommandView => ({
  origin: 'file',
  state,
  substate,
  reloading: false,
  leaving: false,
  ...own,
});
const all = poolCommandNames;
const without = (...names: readonly PoolCommandName[]) => all.filter((name) => !names.includes(name));

it('the names are those of the routes', () => {
  expectTypeOf<PoolCommandName>().toEqualTypeOf<NameAtTheRim>();
  expect(all).toEqual(['preload', 'drain', 'resume', 'reload', 'remove']);
});

describe('a managed pool', () => {
  const places = [
    view('uninitialized', 'idle'),
    view('provisioning', '(engine.fetching,model.resolving)'),
    view('starting', 'adopting.identifying'),
    view('starting', 'spawning'),
    view('starting', 'proving'),
    view('ready', 'healthy'),
    view('ready', 'suspect', { origin: 'api' }),
    view('draining', 'stopping'),
    view('draining', 'stuck.waiting'),
    view('draining', 'releasing'),
    view('offline', 'stopped'),
    view('offline', 'blocked', { origin: 'api' }),
  ];

  it.each(places)('in $state.$substate takes everything but resume', (place) => {
    expect(acceptedCommands(place)).toEqual(without('resume'));
    for (const name of without('resume')) expect(judgeCommand(place, name)).toEqual({ ok: true });
    expect(judgeCommand(place, 'resume')).toEqual({
      ok: false,
      message: `expected a pool that is draining.emptying for resume, found it ${place.state}.${place.substate}; preload starts one that is down`,
      accepts: without('resume'),
    });
  });

  it.each(['announcing', 'waiting', 'recovering'])('takes resume too in draining.emptying.%s', (child) => {
    expect(acceptedCommands(view('draining', `emptying.${child}`))).toEqual(all);
  });

  it('that is being removed takes nothing but that', () => {
    const leaving = view('draining', 'emptying.waiting', { leaving: true });
    expect(acceptedCommands(leaving)).toEqual(['remove']);
    expect(judgeCommand(leaving, 'preload')).toMatchObject({
      ok: false,
      message:
        'expected a pool that stays for preload, found it draining.emptying.waiting and being removed; declare it again, in the pools file or over the API once it is gone',
    });
  });

  it('takes no reload during one, but at rest, where it may be the remedy', () => {
    for (const place of [view('draining', 'stopping'), view('provisioning', ''), view('starting', 'loading.answering')]) {
      const reloading = { ...place, reloading: true };
      expect(acceptedCommands(reloading)).toEqual(without('resume', 'reload'));
      expect(judgeCommand(reloading, 'reload')).toMatchObject({ ok: false, message: expect.stringContaining('without a reload under way') });
    }
    expect(acceptedCommands(view('draining', 'emptying.waiting', { reloading: true }))).toEqual(without('reload'));
    expect(acceptedCommands(view('offline', 'backingOff', { reloading: true }))).toEqual(without('resume'));
  });
});

describe('an attached pool', () => {
  it('takes nothing, and says whom to ask', () => {
    for (const place of [view('ready', 'healthy'), view('starting', 'proving'), view('offline', 'stopped')])
      for (const name of all)
        expect(judgeCommand({ ...place, origin: 'attached' }, name)).toEqual({
          ok: false,
          message: `expected a pool of this daemon for ${name}, found an attached one (${place.state}.${place.substate}): its engine belongs to whoever wrote its handoff file; order it there`,
          accepts: [],
        });
  });
});
