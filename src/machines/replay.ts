/**
 * Folds journal lines back through the charts and compares each state with the one that was recorded.
 *
 * Pure: nothing is started, no timer runs, no live actor hears of it. One fold per life of an actor; a life begins with its
 * `xstate.init` line or a checkpoint. Lines of which no beginning is known are counted and passed over. Where the journal says
 * that events are missing every life is over, and goes on at a checkpoint or with its next beginning.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, createEmptyActor, initialTransition, type StateValue, transition } from 'xstate';
import { pathOf } from './policies/describe.ts';

export interface ReplayOptions {
  /** By the `machine` of a line; lines of others are passed over. */
  readonly machines: Readonly<Record<string, AnyStateMachine>>;
  /** How the journal digested contexts; contexts are not compared without it. */
  readonly digest?: (context: unknown) => string;
  /** Called before a line is folded, with where its actor is; null at the beginning of a life. */
  readonly before?: (line: FoldedLine, machine: AnyStateMachine, snapshot: AnyMachineSnapshot | null) => void;
}

export interface StoryLine {
  readonly seq: number;
  /** RFC 3339. */
  readonly at: string;
  readonly actor: string;
  readonly event: string;
  /** As recorded; `from` is empty at the beginning of a life, and where it is not known. */
  readonly from: string;
  readonly to: string;
}

export interface Divergence {
  readonly seq: number;
  readonly actor: string;
  readonly event: string;
  readonly what: 'state' | 'status' | 'context' | 'failure';
  readonly recorded: string;
  readonly replayed: string;
  /** In the life that parts numbers are missing of which no line tells: a likely reason. Null: none. */
  readonly hole: Hole | null;
}

export interface Hole {
  /** Number of the last line before it. */
  readonly after: number;
  readonly missing: number;
}

/** Events that could not be written, by the journal's own word. */
export interface Gap extends Hole {
  /** Of the line that tells of it. */
  readonly seq: number;
  readonly at: string;
  /** Why they could not be written. */
  readonly error: string;
  /** How many lines the story has before it. */
  readonly told: number;
  /** Events behind it that could not be folded, since where their actors were is not known. */
  readonly passedOver: number;
}

export interface Replay {
  /** Changes of state and ends of lives, in order. */
  readonly story: readonly StoryLine[];
  /** The first one; null: recorded and replayed agree. */
  readonly divergence: Divergence | null;
  /** Events folded, and events whose actor's beginning is not in the lines. */
  readonly folded: number;
  readonly passedOver: number;
  readonly gaps: readonly Gap[];
  /** Value and context that the last life of each actor has come to. */
  readonly reached: ReadonlyMap<string, AnyMachineSnapshot>;
}

/** One line of the journal, as far as a fold needs it. */
export interface FoldedLine {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly machine: string;
  readonly state: string;
  readonly status: string;
  readonly ctx: string | null;
  readonly event: { readonly type: string; readonly input?: unknown; readonly omitted?: unknown };
}

interface Checkpoint {
  readonly actor: string;
  readonly machine: string;
  readonly value: unknown;
  readonly context: unknown;
  /** Ids of the actors it can speak to. */
  readonly children: readonly string[];
}

/** A gap whose count goes on. */
interface Counted extends Gap {
  passedOver: number;
}

interface Life {
  readonly machine: AnyStateMachine;
  snapshot: AnyMachineSnapshot;
  hole: Hole | null;
}

/** `lines`: parsed JSON, in order. What is no journal line is passed over. */
export const replay = (lines: Iterable<unknown>, { machines, digest, before }: ReplayOptions): Replay => {
  const lives = new Map<string, Life>();
  const told = new Map<string, string>();
  const story: StoryLine[] = [];
  let divergence: Divergence | null = null;
  let folded = 0;
  let passedOver = 0;
  const gaps: Counted[] = [];
  let openGap: Counted | null = null;
  let highest: number | null = null;

  const diverge = (line: FoldedLine, what: Divergence['what'], recorded: string, replayed: string): void => {
    const hole = lives.get(line.actor)?.hole ?? null;
    divergence ??= { seq: line.seq, actor: line.actor, event: line.event.type, what, recorded, replayed, hole };
    lives.delete(line.actor);
  };

  const tell = (line: FoldedLine): void => {
    const from = line.event.type === 'xstate.init' ? '' : (told.get(line.actor) ?? '');
    told.set(line.actor, line.state);
    if (from !== line.state || line.status !== 'active')
      story.push({ seq: line.seq, at: line.at, actor: line.actor, event: line.event.type, from, to: line.state });
  };

  const fold = (line: FoldedLine): void => {
    const machine = machines[line.machine];
    const life = lives.get(line.actor);
    const begins = line.event.type === 'xstate.init';
    if (machine === undefined || (!begins && life === undefined) || line.event.omitted !== undefined) {
      lives.delete(line.actor);
      passedOver += 1;
      if (openGap !== null) openGap.passedOver += 1;
      return;
    }
    folded += 1;
    before?.(line, machine, begins ? null : (life?.snapshot ?? null));
    const outcome = attempt(() => (begins || life === undefined ? begin(machine, line) : step(machine, life.snapshot, line)));
    // A fold executes no actions, so what a machine died of need not happen again: its life is over all the same.
    if (line.status === 'error') {
      lives.delete(line.actor);
      return;
    }
    if (!outcome.ok) {
      diverge(line, 'failure', line.state, outcome.message);
      return;
    }
    const { snapshot } = outcome;
    lives.set(line.actor, { machine, snapshot, hole: begins ? null : (life?.hole ?? null) });
    const state = pathOf(snapshot.value);
    if (state !== line.state) diverge(line, 'state', line.state, state);
    else if (snapshot.status !== line.status) diverge(line, 'status', line.status, snapshot.status);
    else if (digest !== undefined && line.ctx !== null && digest(snapshot.context) !== line.ctx)
      diverge(line, 'context', line.ctx, digest(snapshot.context));
  };

  /** Nothing that an actor was before is to be gone on from. */
  const lose = (gap: Gap): void => {
    lives.clear();
    told.clear();
    // It was said before, and could not be gone on from: more had gone missing.
    if (gaps.at(-1)?.after === gap.after) gaps.pop();
    openGap = { ...gap, told: story.length };
    gaps.push(openGap);
  };

  /** Each file begins with numbers of its own, and the line that had it begun comes behind them with a lower one. */
  const count = (seq: number, mayJump: boolean): void => {
    if (!mayJump && highest !== null && seq > highest + 1)
      for (const life of lives.values()) life.hole = { after: highest, missing: seq - highest - 1 };
    highest = Math.max(highest ?? 0, seq);
  };

  for (const raw of lines) {
    const restart = field(raw, 'opened');
    const gap = readGap(raw);
    const seq = field(raw, 'seq');
    if (typeof seq === 'number') count(seq, restart !== undefined || gap !== null);
    if (restart !== undefined && field(restart, 'continues') !== true) {
      lives.clear();
      openGap = null;
    }
    if (gap !== null) lose(gap);
    const checkpoint = readCheckpoint(raw);
    const restored = checkpoint === null ? null : restore(machines[checkpoint.machine], checkpoint);
    if (checkpoint !== null && restored !== null) lives.set(checkpoint.actor, restored);
    if (checkpoint !== null && restored !== null) told.set(checkpoint.actor, pathOf(restored.snapshot.value));
    const line = readLine(raw);
    if (line === null) continue;
    tell(line);
    fold(line);
  }

  return { story, divergence, folded, passedOver, gaps, reached: new Map([...lives].map(([actor, life]) => [actor, life.snapshot])) };
};

const begin = (machine: AnyStateMachine, line: FoldedLine): AnyMachineSnapshot => initialTransition(machine, line.event.input)[0];
const step = (machine: AnyStateMachine, snapshot: AnyMachineSnapshot, line: FoldedLine): AnyMachineSnapshot =>
  transition(machine, snapshot, line.event)[0];

/** A chart that no longer has the recorded state cannot go on from it: its lines are passed over. */
const restore = (machine: AnyStateMachine | undefined, { value, context, children }: Checkpoint): Life | null => {
  if (machine === undefined || !isStateValue(value)) return null;
  const deaf = Object.fromEntries(children.map((id) => [id, createEmptyActor()]));
  const restored = attempt(() => Object.assign(machine.resolveState({ value, context }), { children: deaf }));
  return restored.ok ? { machine, snapshot: restored.snapshot, hole: null } : null;
};

const isStateValue = (value: unknown): value is StateValue =>
  typeof value === 'string' || (typeof value === 'object' && value !== null && Object.values(value).every(isStateValue));

type Attempt = { readonly ok: true; readonly snapshot: AnyMachineSnapshot } | { readonly ok: false; readonly message: string };

const attempt = (work: () => AnyMachineSnapshot): Attempt => {
  try {
    const snapshot = work();
    return snapshot.status === 'error' ? { ok: false, message: String(snapshot.error) } : { ok: true, snapshot };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
};

const readLine = (raw: unknown): FoldedLine | null => {
  const event = field(raw, 'event');
  const [seq, at, actor, machine, state, status, type] = [
    field(raw, 'seq'),
    field(raw, 'at'),
    field(raw, 'actor'),
    field(raw, 'machine'),
    field(raw, 'state'),
    field(raw, 'status'),
    field(event, 'type'),
  ];
  if (typeof seq !== 'number' || typeof at !== 'string' || typeof actor !== 'string' || typeof machine !== 'string') return null;
  if (typeof state !== 'string' || typeof status !== 'string' || typeof type !== 'string' || typeof event !== 'object') return null;
  const ctx = field(raw, 'ctx');
  return { seq, at, actor, machine, state, status, ctx: typeof ctx === 'string' ? ctx : null, event: { ...event, type } };
};

const readGap = (raw: unknown): Gap | null => {
  const gap = field(raw, 'gap');
  const [seq, at, after, missing, error] = [field(raw, 'seq'), field(raw, 'at'), field(gap, 'after'), field(gap, 'missing'), field(gap, 'error')];
  if (typeof seq !== 'number' || typeof at !== 'string' || typeof after !== 'number' || typeof missing !== 'number') return null;
  return { seq, at, after, missing, error: typeof error === 'string' ? error : 'no reason given', told: 0, passedOver: 0 };
};

const readCheckpoint = (raw: unknown): Checkpoint | null => {
  const [checkpoint, actor, machine] = [field(raw, 'checkpoint'), field(raw, 'actor'), field(raw, 'machine')];
  if (checkpoint === undefined || typeof actor !== 'string' || typeof machine !== 'string') return null;
  const children = field(checkpoint, 'children');
  const ids = Array.isArray(children) ? children.filter((id) => typeof id === 'string') : [];
  return { actor, machine, value: field(checkpoint, 'value'), context: field(checkpoint, 'context'), children: ids };
};

const field = (value: unknown, key: string): unknown => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined);
