/**
 * The node while nobody asks anything of it: a view drawn again at most four times a second in a terminal, one line for each
 * happening elsewhere. Ends with the signal; resolves with what went wrong, null where nothing did.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { gpusSchema, nodeSchema, poolsSchema, type Transition } from '../cli/answers.ts';
import { type EngineProcess, engineProcesses } from './engines.ts';
import { createLines, followTransitions, type Lines, transitionText } from './history.ts';
import { mainPool } from './house.ts';
import { openScreen } from './screen.ts';
import type { Stage } from './stage.ts';
import { thingsToTry, viewLines } from './view-lines.ts';

export interface LiveOptions {
  readonly signal: AbortSignal;
  readonly terminal: boolean;
  readonly say: (line: string) => void;
}

const drawEveryMs = 250;
const remembered = 200;
const deathWithinMs = 2_000;

export const showLive = async (stage: Stage, { signal, terminal, say }: LiveOptions): Promise<string | null> => {
  const over = new AbortController();
  const lines = createLines();
  const death = stage.daemon.exited.then((how) => `unasked, the daemon ${how}`);
  const view = terminal ? drawView(stage, lines, over.signal) : printLines(stage, lines, over.signal, say);
  // A view that fails because the daemon is gone must not hide that it is gone.
  const failing = view.catch((thrown: unknown) => wait(deathWithinMs, undefined, { ref: false }).then(() => Promise.reject(thrown)));
  try {
    const failure = await Promise.race([death, failing.then(() => null), untilAborted(signal)]);
    if (failure !== null) return failure;
    lines.tell('ending: every pool is drained first (Ctrl-C again: at once)');
    return await stage.daemon.end();
  } finally {
    over.abort();
    await view.catch(() => undefined);
  }
};

const untilAborted = (signal: AbortSignal): Promise<null> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null));
  });

const printLines = async (stage: Stage, lines: Lines, signal: AbortSignal, say: (line: string) => void): Promise<void> => {
  for (const line of [...stage.introduction, '', ...thingsToTry(stage.daemon.url, null), '']) say(line);
  lines.listen(say);
  stage.controlPlane.listen(lines.tell);
  await followTransitions(stage.api, signal, (event) => {
    tellTransition(lines, event);
    const engine = event.pool_id === mainPool && event.to === 'ready.healthy' ? mainEngine(stage) : null;
    if (engine !== null && event.from.startsWith('starting')) lines.tell(`the engine of ${mainPool} is pid ${engine.pid}, at ${engine.endpoint}`);
  });
};

const tellTransition = (lines: Lines, event: Transition): void => {
  const text = transitionText(event);
  if (text !== null) lines.tell(text);
};

const drawView = async (stage: Stage, lines: Lines, signal: AbortSignal): Promise<void> => {
  const happenings: string[] = [];
  lines.listen((line) => {
    happenings.push(line);
    if (happenings.length > remembered) happenings.shift();
  });
  stage.controlPlane.listen(lines.tell);
  const following = followTransitions(stage.api, signal, (event) => tellTransition(lines, event));
  following.catch(() => undefined);
  const screen = openScreen(process.stdout);
  try {
    while (!signal.aborted) {
      screen.draw(viewLines({ introduction: stage.introduction, happenings, rows: screen.rows(), ...(await look(stage)) }));
      await Promise.race([wait(drawEveryMs, undefined, { signal }).catch(() => undefined), following.then(() => undefined)]);
    }
  } finally {
    screen.close();
  }
  await following;
};

const look = async (stage: Stage) => {
  const { api, standIn, daemon } = stage;
  const [node, { pools }, { gpus }] = await Promise.all([
    api.ask((client) => client.v2.node.$get()).read(nodeSchema),
    api.ask((client) => client.v2.pools.$get()).read(poolsSchema),
    api.ask((client) => client.v2.gpus.$get()).read(gpusSchema),
  ]);
  return { node, pools, gpus, controlPlane: standIn.nodes()[0] ?? null, hints: thingsToTry(daemon.url, mainEngine(stage)) };
};

const mainEngine = ({ house }: Stage): EngineProcess | null => engineProcesses(house.stateDir).find(({ poolId }) => poolId === mainPool) ?? null;
