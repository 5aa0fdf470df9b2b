/** Child process of the journal's tests: journals a small system for ever and says each number once its line is written. */
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/observe/journal.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { startSmallSystem } from './small-system.ts';

const stateDir = process.argv[2];
if (stateDir === undefined) throw new Error('usage: journal-writer STATE_DIR');

const journal = openJournal({ stateDir, nodeId: 'gpu-node-1', version: '0.0.0', bootId: 'boot' });
const inspector = createInspector([journal, { name: 'teller', observe: () => writeSync(1, `${journal.lastSeq()}\n`) }]);
const system = startSmallSystem(inspector.inspect);
const pool = system.add('pool-0');
const beat = (): void => {
  pool.send({ type: 'pool.start' });
  pool.send({ type: 'engine.exited' });
  setImmediate(beat);
};
beat();
