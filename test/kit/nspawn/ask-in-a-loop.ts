/**
 * Asks an address over and over, four at a time, each time on a new connection, and says in a line of JSON what came of it: how many were
 * answered, and what happened to the others. Runs in the machine; ends when its standard input does.
 */
import { get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

const [url = '', pauseMs = '40'] = process.argv.slice(2);
const deadlineMs = 30_000;
const askers = 4;
const counts: Record<string, number> = {};
let over = false;
process.stdin.resume().on('end', () => {
  over = true;
});

const ask = (): Promise<string> =>
  new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: deadlineMs }, (response) => {
      response.resume().on('close', () => resolve(response.complete ? 'answered' : 'cut'));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });

const askOn = async (): Promise<void> => {
  while (!over) {
    const outcome = await ask();
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    await wait(Number(pauseMs));
  }
};
await Promise.all(Array.from({ length: askers }, askOn));
console.log(JSON.stringify(counts));
