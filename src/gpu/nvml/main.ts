/**
 * The process that asks the driver through NVML, for the daemon that started it: questions come in on standard input, answers and
 * Xids go out on standard output, one JSON object a line. It ends when the daemon does, which closes its input.
 *
 * A call that hangs hangs here, and nowhere else: the daemon has a deadline, and ends this process.
 */
import { driverEvents } from './events.ts';
import { type Nvml, openLibrary } from './library.ts';
import { lineReader } from './lines.ts';
import { lookThrough, nothingSettled } from './look.ts';
import { type Question, readQuestion, type Saying } from './protocol.ts';

const eventsEveryMs = 500;
/** Of NVML: no error, or one that leaves the facts whole; and that it is not initialised. */
const passable: readonly number[] = [5, 14];
const uninitialized = 1;

const say = (saying: Saying): void => {
  process.stdout.write(`${JSON.stringify(saying)}\n`);
};

const serve = (nvml: Nvml): void => {
  const events = driverEvents(nvml);
  const settled = nothingSettled();
  let isUp = false;

  const begin = (): { readonly call: string; readonly code: number } | null => {
    const begun = nvml.init();
    isUp = begun.ok || passable.includes(begun.code);
    return begun.ok || isUp ? null : begun;
  };
  const answer = ({ id, deep }: Question): void => {
    let looked = (isUp ? null : begin()) ?? lookThrough(nvml, deep, settled);
    // Somebody, or the driver itself, ended it: once more from the beginning.
    if ('code' in looked && looked.code === uninitialized && begin() === null) looked = lookThrough(nvml, deep, settled);
    if ('code' in looked) {
      say({ kind: 'failed', id, call: looked.call, code: looked.code });
    } else {
      say({ kind: 'facts', id, facts: looked.facts });
      events.follow(looked.handles);
    }
  };

  const read = lineReader((line) => {
    const question = readQuestion(line ?? '');
    if (question === null) throw new Error(`expected a question, found ${line?.slice(0, 200) ?? 'a line without an end'}`);
    answer(question);
  });
  process.stdin.on('data', read).once('end', () => process.exit(0));
  setInterval(() => {
    if (isUp) for (const xid of events.take()) say({ kind: 'xid', xid });
  }, eventsEveryMs);
  say({ kind: 'ready' });
};

const opened = openLibrary();
if ('unavailable' in opened) say({ kind: 'unavailable', why: opened.unavailable.slice(0, 400) });
else serve(opened);
