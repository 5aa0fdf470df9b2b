/**
 * A journal file, opened in the browser and gone through moment by moment, forwards and back. The file goes nowhere.
 *
 * Each line of `events.jsonl` says which state it led to, so nothing has to be folded; `pool-managerd replay` checks that.
 */
import { type Cast, type Moment, play, unplay } from './moments.ts';
import { pathText } from './state-path.ts';

export interface Journal {
  readonly name: string;
  readonly moments: readonly Moment[];
  /** Lines that are none of a journal. */
  readonly passedOver: number;
  /** Who lived where at the moment that is shown. */
  readonly cast: Cast;
  /** Place of the moment that is shown; -1: before the first. */
  at(): number;
  /** Goes there step by step, so that everybody is where they were. */
  goTo(place: number): void;
}

/** More than two files of a journal hold. */
const mostBytes = 256 * 1024 * 1024;

/** @throws with what was expected, when it is no journal. */
export const openJournal = async (file: File): Promise<Journal> => {
  if (file.size > mostBytes)
    throw new Error(`expected a journal of at most ${mostBytes / 1024 / 1024} MiB, found ${Math.round(file.size / 1024 / 1024)} MiB`);
  const { moments, passedOver } = momentsIn((await file.text()).split('\n'));
  if (moments.length === 0) throw new Error(`expected the lines of a journal, <state>/journal/events.jsonl, found none in ${file.name}`);
  const cast: Cast = new Map();
  let place = -1;
  return {
    name: file.name,
    moments,
    passedOver,
    cast,
    at: () => place,
    goTo: (wanted) => {
      const goal = Math.max(-1, Math.min(moments.length - 1, wanted));
      for (; place < goal; place += 1) {
        const moment = moments[place + 1];
        if (moment !== undefined) play(cast, moment);
      }
      for (; place > goal; place -= 1) {
        const moment = moments[place];
        if (moment !== undefined) unplay(cast, moment);
      }
    },
  };
};

export const momentsIn = (lines: readonly string[]): { readonly moments: readonly Moment[]; readonly passedOver: number } => {
  const where = new Map<string, string>();
  const moments: Moment[] = [];
  let passedOver = 0;
  for (const text of lines) {
    if (text.trim() === '') continue;
    const line = parse(text);
    const [actor, machine] = [line?.['actor'], line?.['machine']];
    if (typeof actor === 'string' && typeof machine === 'string' && isRecord(line?.['checkpoint'])) {
      where.set(actor, pathText(line['checkpoint']['value']));
      continue;
    }
    if (isRecord(line?.['opened'])) {
      if (line['opened']['continues'] !== true) where.clear();
      continue;
    }
    const [seq, at, state, status, event] = [line?.['seq'], line?.['at'], line?.['state'], line?.['status'], line?.['event']];
    if (
      typeof actor !== 'string' ||
      typeof machine !== 'string' ||
      typeof seq !== 'number' ||
      typeof at !== 'string' ||
      typeof state !== 'string' ||
      !isRecord(event)
    ) {
      passedOver += 1;
      continue;
    }
    const type = String(event['type'] ?? '');
    const from = type === 'xstate.init' ? '' : (where.get(actor) ?? '');
    where.set(actor, state);
    const source = typeof line?.['source'] === 'string' ? line['source'] : null;
    moments.push({
      id: seq,
      at,
      actor,
      machine,
      event: { ...event, type },
      from,
      to: state,
      status: String(status ?? 'active'),
      source,
      steps: null,
    });
  }
  return { moments, passedOver };
};

const parse = (text: string): Readonly<Record<string, unknown>> | null => {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
