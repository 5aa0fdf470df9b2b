/**
 * What changes, from one `nvidia-smi --loop-ms` that goes on, in place of a process for each look.
 *
 * It says what cards say of themselves; which processes are on them it does not. So a set of rows counts only where memory in use is
 * as at the last whole look; anything else, and anything strange, asks for another whole look. Its silence is a driver that hangs. It
 * is let go of while a card is not well, since a card that is held open is not reset, and started again ever later where it ends.
 */
import { isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, GpuFact, Inventory } from '../machines/vocabulary.ts';
import type { Command } from '../os/helper.ts';
import { startTool, type Tool } from '../os/start-tool.ts';
import { type Pause, pauseFor } from './follow.ts';
import type { Card, Parsed } from './parse-csv.ts';
import type { Stuck } from './run-child.ts';
import type { FollowOrder } from './source.ts';
import { isUnwell } from './unwell.ts';

export interface LoopDeps {
  command(intervalMs: number): Command;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  parse(lines: string): Parsed<Card>;
  /** Something is wanted that only a whole look tells. */
  wantsMore(): boolean;
  /** A process that is killed and not gone. */
  readonly onStuck: (stuck: Stuck | null) => void;
  readonly killSignal: NodeJS.Signals;
}

export interface SmiLoop {
  readonly pause: Pause;
  end(): void;
  /** The same, and the next look is a whole one, now. */
  rest(): void;
}

const firstRetryMs = 10_000;
const lastRetryMs = 3_600_000;
/** So many sets of rows show that it does. */
const provenAfter = 10;
const longestSet = 256 * 1024;
/** Rows of a set come together; when some are missing for so long they do not come. */
const halfForMs = 1_000;

export const smiLoop = (deps: LoopDeps, order: FollowOrder): SmiLoop => {
  let child: Tool | null = null;
  let current: { readonly again: () => void; readonly last: Inventory } | null = null;
  let cancel = (): void => {};
  let sets = 0;
  let retryMs = firstRetryMs;
  let notBeforeMono = -Infinity;
  let lastSetMono = 0;
  let startedAt = stamp();

  const end = (): void => {
    const left = child;
    child = null;
    if (left === null) return;
    left.stdout.removeAllListeners('data').destroy();
    left.stderr.destroy();
    left.kill(deps.killSignal);
    left.unref();
    if (left.exitCode !== null || left.signalCode !== null) return;
    deps.onStuck({ pid: left.pid ?? 0, sinceAt: startedAt.at, sinceMono: startedAt.mono });
    left.once('exit', () => deps.onStuck(null));
  };
  /** The next whole look is due now. */
  const hand = (): void => {
    const { again } = current ?? {};
    current = null;
    cancel();
    again?.();
  };
  /** It does not do here, or not now. */
  const giveUp = (): void => {
    end();
    notBeforeMono = stamp().mono + retryMs;
    retryMs = Math.min(lastRetryMs, retryMs * 2);
    hand();
  };
  /** Rows that are not those of the cards that are known. */
  const odd = (): void => {
    end();
    hand();
  };
  const expect = (ms: number, otherwise: () => void): void => {
    cancel();
    const timer = setTimeout(otherwise, ms);
    cancel = () => clearTimeout(timer);
  };
  const silent = (): void => {
    const pid = child?.pid ?? 0;
    const again = current?.again ?? (() => {});
    end();
    current = null;
    order.hear(hung(pid, lastSetMono, order), lastSetMono);
    cancel = pauseFor(order.intervalMs)(again, hung(pid, lastSetMono, order));
  };

  const hear = (text: string): void => {
    const begunMono = lastSetMono;
    const now = stamp();
    lastSetMono = now.mono;
    sets += 1;
    if (sets === provenAfter) retryMs = firstRetryMs;
    if (current === null) return;
    const { last } = current;
    const { rows, remarks, strange } = deps.parse(text);
    const facts = rows.map(({ fact }) => fact);
    if (remarks.length + strange.length > 0 || !areSame(facts, last.gpus)) {
      odd();
    } else if (deps.wantsMore() || facts.some((fact, at) => isUnwell(fact) || fact.memoryUsedBytes !== last.gpus[at]?.memoryUsedBytes)) {
      hand();
    } else {
      expect(order.intervalMs + order.deadlineMs, silent);
      // The first comes at once, and the whole look before it has just been told.
      if (sets > 1) order.hear({ ...last, ...now, gpus: facts.map((fact, at) => withKnown(fact, last.gpus[at])) }, begunMono);
    }
  };

  const begin = (rowsOfSet: number): void => {
    const { file, argv } = deps.command(order.intervalMs);
    startedAt = stamp();
    sets = 0;
    lastSetMono = startedAt.mono;
    const started = startTool({ file, argv }, { env: deps.env }, () => started === child && giveUp());
    child = started;
    if (started === null) return;
    const lines = setsOf(rowsOfSet);
    let half: NodeJS.Timeout | undefined;
    started.stderr.resume();
    started.stdout.on('data', (chunk: Buffer) => {
      clearTimeout(half);
      const { sets: whole, isHalf } = lines(chunk.toString());
      for (const set of whole) if (child === started) hear(set);
      if (isHalf) half = setTimeout(() => child === started && odd(), halfForMs);
    });
    started.once('close', () => {
      clearTimeout(half);
      if (child === started) giveUp();
    });
    expect(order.deadlineMs, giveUp);
  };

  const mayLoop = (last: Inventory | Cause): last is Inventory =>
    !isCause(last) && last.gpus.length > 0 && (last.remarks ?? []).length === 0 && !last.gpus.some(isUnwell) && stamp().mono >= notBeforeMono;

  return {
    pause: (again, last) => {
      if (!mayLoop(last)) {
        end();
        return pauseFor(order.intervalMs)(again, last);
      }
      current = { again, last };
      if (child === null) begin(last.gpus.length);
      else expect(order.intervalMs + order.deadlineMs, silent);
      return () => {
        current = null;
        cancel();
      };
    },
    end,
    rest: odd,
  };
};

interface Sets {
  /** Text of whole sets of rows. */
  readonly sets: readonly string[];
  /** The last one has only begun. */
  readonly isHalf: boolean;
}

/** A set that grows without an end is handed on to be found strange. */
const setsOf = (rows: number): ((chunk: string) => Sets) => {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    const whole = Math.floor((lines.length - 1) / rows) * rows;
    const sets = Array.from({ length: whole / rows }, (_, at) => lines.slice(at * rows, (at + 1) * rows).join('\n'));
    rest = lines.slice(whole).join('\n');
    if (rest.length <= longestSet) return { sets, isHalf: rest !== '' };
    const endless = rest;
    rest = '';
    return { sets: [...sets, endless], isHalf: false };
  };
};

const areSame = (facts: readonly GpuFact[], known: readonly GpuFact[]): boolean =>
  facts.length === known.length && facts.every(({ uuid, index }, at) => uuid === known[at]?.uuid && index === known[at]?.index);

const withKnown = (fact: GpuFact, known: GpuFact | undefined): GpuFact => ({
  ...fact,
  processes: known?.processes ?? [],
  mig: known?.mig ?? null,
  deep: known?.deep ?? null,
});

const hung = (pid: number, sinceMono: number, { intervalMs, deadlineMs }: FollowOrder): Cause => {
  const silentMs = Math.round(stamp().mono - sinceMono);
  return {
    code: 'driver_error',
    message: `nvidia-smi --loop-ms=${intervalMs} (pid ${pid}) was expected to list the GPUs every ${intervalMs} ms, ${deadlineMs} ms late at most, but is silent for ${silentMs} ms; it was ended; the driver probably hangs: see the kernel log (dmesg | grep NVRM)`,
    details: { pid, hanging_ms: silentMs },
  };
};
