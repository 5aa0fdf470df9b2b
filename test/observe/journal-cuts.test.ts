/** A journal cut off anywhere, as by a power cut, and one that was put aside: what is whole is kept, and folds. */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { replay } from '../../src/machines/replay.ts';
import { openJournal } from '../../src/observe/journal.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import { accepted, driveRegistration, settled } from '../kit/registration-driver.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'cuts-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const begin = (maxEventBytes?: number) =>
  openJournal({ stateDir, nodeId: 'n', version: '0', bootId: 'b', ...(maxEventBytes !== undefined && { maxEventBytes }) });
const file = (): string => join(stateDir, 'journal', 'events.jsonl');
const fold = (text: string) => replay(text.split('\n').map(parseLine), { machines: { registration: registrationMachine }, digest: contextDigest });

/** A registration that beats so often. */
const live = async (rounds: number, maxEventBytes?: number) => {
  const journal = begin(maxEventBytes);
  const driver = driveRegistration(createInspector([journal]).inspect);
  await settled(driver);
  for (let round = 0; round < rounds; round += 1) {
    driver.send('node.heartbeat');
    await driver.open('heartbeat').answer(accepted());
    driver.pass(100);
  }
  journal.close();
  return driver;
};

describe('faults row 67: a journal cut at every byte offset', () => {
  it('of its last lines gives all whole lines to whoever reads it, and they fold', async () => {
    await live(3);
    const whole = readFileSync(file());
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([index]) => index + 1);
    const all = fold(whole.toString());
    expect(all.divergence).toBeNull();
    for (let cut = ends.at(-4) ?? 0; cut <= whole.length; cut += 1) {
      const complete = ends.filter((offset) => offset <= cut).length;
      const { divergence, folded, passedOver } = fold(whole.subarray(0, cut).toString());
      // A line without its end may be whole all the same.
      const unended = ends.includes(cut + 1) ? 1 : 0;
      expect([divergence, folded, passedOver], `cut at ${cut}`).toEqual([null, complete - 1 + unended, 0]);
    }
  });

  it('of its last line is written on after the last whole line, and what was torn is kept aside', async () => {
    await live(3);
    const whole = readFileSync(file());
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([index]) => index + 1);
    for (let cut = ends.at(-2) ?? 0; cut <= whole.length; cut += 1) {
      rmSync(join(stateDir, 'journal'), { recursive: true });
      mkdirSync(join(stateDir, 'journal'));
      writeFileSync(file(), whole.subarray(0, cut));
      begin().close();
      const kept = ends.findLast((offset) => offset <= cut) ?? 0;
      const now = readFileSync(file());
      expect(now.subarray(0, kept).equals(whole.subarray(0, kept)), `cut at ${cut}`).toBe(true);
      expect(JSON.parse(now.subarray(kept).toString())).toMatchObject({ opened: { continues: false } });
      expect(existsSync(`${file()}.bad`)).toBe(cut > kept);
      if (cut > kept) expect(readFileSync(`${file()}.bad`).equals(whole.subarray(kept, cut))).toBe(true);
    }
  }, 30_000);
});

describe('a journal that was put aside', () => {
  it('folds from its checkpoints on, alone and behind the file before it, to where the actors were', async () => {
    const driver = await live(60, 20_000);
    const [older, newer] = [readFileSync(join(stateDir, 'journal', 'events.1.jsonl'), 'utf8'), readFileSync(file(), 'utf8')];
    expect(newer).not.toContain('"xstate.init"');
    for (const text of [newer, older + newer]) {
      const { divergence, folded, reached } = fold(text);
      expect(divergence).toBeNull();
      expect(folded).toBeGreaterThan(0);
      expect(reached.get('registration')?.value).toEqual(driver.snapshot().value);
    }
  });

  it('is read on after lines of a form that is not known', async () => {
    await live(3);
    appendFileSync(file(), '{"seq":"none","later":{"form":1}}\n[]\n');
    expect(fold(readFileSync(file(), 'utf8')).divergence).toBeNull();
  });
});
