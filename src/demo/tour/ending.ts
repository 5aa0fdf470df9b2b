/** The last step: the daemon ends in order, nothing of it is left, and its journal folds to the states that were recorded. */
import { spawn } from 'node:child_process';
import { ownCommand } from '../../os/self.ts';
import { nodeId } from '../daemon-process.ts';
import { engineProcesses } from '../engines.ts';
import type { Tell, Tour } from './tour.ts';
import { TourFailure } from './trail.ts';

export const endAndFold = async ({ stage }: Tour, tell: Tell): Promise<void> => {
  const { daemon, house, standIn } = stage;
  const pids = engineProcesses(house.stateDir).map(({ poolId, pid }) => `${poolId} (pid ${pid})`);
  tell(`SIGTERM to the daemon (pid ${daemon.pid}); engines: ${pids.join(', ')}`);
  let deregistered = false;
  standIn.on('deregistered', (node) => {
    deregistered ||= node.nodeId === nodeId;
  });
  const wrong = await daemon.end();
  if (wrong !== null) throw new TourFailure(`expected the daemon to end in order, found ${wrong}`);
  tell('the daemon ended with 0; no engine is left');
  if (!deregistered) throw new TourFailure('expected the node to deregister at orchestratord, found that it did not');
  tell('orchestratord: the node deregistered');
  tell(`replay: ${await foldJournal(house.journalFile)}`);
};

const foldsWithinMs = 20_000;

/** The command that a person would use; its last line is the verdict. */
const foldJournal = async (file: string): Promise<string> => {
  const [program, args] = ownCommand('replay', file);
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: foldsWithinMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const verdict = output.trimEnd().split('\n').at(-1) ?? '';
  if (code !== 0) throw new TourFailure(`expected the journal to fold to the recorded states, found ${verdict}`);
  return verdict;
};
