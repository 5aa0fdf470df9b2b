/**
 * `pool-managerd demo`: puts the stage up, shows it or walks the tour, takes it down. Resolves with the exit code.
 *
 * The first Ctrl-C ends it in order, a second one hurries. 0: ended as asked, with a tour only if all of it was seen; 1: not
 * so; 64: the command line is wrong.
 */
import { chooseEngine, surroundings } from './engine-choice.ts';
import { whyNotWritable } from './keep-journal.ts';
import { type DemoOptions, demoHelp, readArguments } from './options.ts';
import { showLive } from './show-live.ts';
import { type Stage, setStage } from './stage.ts';
import { runTour } from './tour/run-tour.ts';

const exitCodes = { done: 0, failed: 1, usage: 64 } as const;

export const runDemo = async (args: readonly string[]): Promise<number> => {
  const read = readArguments(args);
  if (read.kind === 'help') {
    process.stdout.write(demoHelp);
    return exitCodes.done;
  }
  if (read.kind === 'wrong') return refuse(read.message);
  const { journal } = read.options;
  const unwritable = journal === null ? null : await whyNotWritable(journal);
  if (unwritable !== null) return refuse(unwritable);
  const choice = chooseEngine(read.options, surroundings());
  return choice.ok ? perform(read.options, choice.engine) : refuse(choice.problem);
};

const refuse = (problem: string): number => {
  process.stderr.write(`pool-managerd demo: ${problem}\n(--help tells more)\n`);
  return exitCodes.usage;
};

const perform = async (options: DemoOptions, engine: Stage['engine']): Promise<number> => {
  const ordered = listenForEnd();
  const stack = new AsyncDisposableStack();
  stack.defer(ordered.stop);
  let failure: string | null = null;
  try {
    const stage = await setStage(stack, {
      engine,
      tour: options.tour,
      freePorts: options.freePorts,
      journal: options.journal,
      signal: ordered.first,
    });
    ordered.second.addEventListener('abort', stage.daemon.hurry);
    failure = options.tour ? await runTour(stage, ordered.first, say) : await showLive(stage, { signal: ordered.first, terminal: isTerminal(), say });
  } catch (thrown) {
    failure = ordered.first.aborted && !options.tour ? null : describe(thrown);
  } finally {
    await stack.disposeAsync();
  }
  if (failure !== null) process.stderr.write(`pool-managerd demo: ${failure}\n`);
  else say(options.journal === null ? 'nothing of the demo is left' : `nothing of the demo is left but its journal, ${options.journal}`);
  return failure === null ? exitCodes.done : exitCodes.failed;
};

const isTerminal = (): boolean => process.stdout.isTTY === true;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const describe = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** The terminal that closes and the reader that goes away are orders to end as well. */
const listenForEnd = () => {
  const first = new AbortController();
  const second = new AbortController();
  const order = (): void => (first.signal.aborted ? second : first).abort();
  const leave = (): void => first.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, order);
  process.stdout.on('error', leave);
  return {
    first: first.signal,
    second: second.signal,
    stop: () => {
      for (const signal of signals) process.off(signal, order);
      process.stdout.off('error', leave);
    },
  };
};
