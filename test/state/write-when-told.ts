/** Keeps one memory, says `ready`, keeps another when a line comes in, and says how that ended: `kept`, or the cause. */
import { once } from 'node:events';
import { causeOf } from '../../src/cause.ts';
import { openStateStore } from '../../src/state/files.ts';
import { memoryOf } from './values.ts';

const store = await openStateStore(process.argv[2] ?? '');
// Everything is loaded and every path taken once: system calls from here on are those of the write alone.
await store.memories.write('a', memoryOf('a', { bootId: 'old' }));
console.log('ready');
await once(process.stdin, 'data');
const said = await store.memories.write('a', memoryOf('a', { bootId: 'new' })).then(
  () => 'kept',
  (thrown: unknown) => JSON.stringify(causeOf(thrown, 'invalid_spec')),
);
process.stdout.write(`${said}\n`, () => process.exit(0));
