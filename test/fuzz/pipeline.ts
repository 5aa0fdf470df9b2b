/** Sends many requests over one connection after the other, hundreds at a time, and reads each answer whole. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from '../kit/until.ts';

export interface Answered {
  readonly status: number;
  readonly body: string;
}

const atOnce = 250;

/** `requests`: bytes that HTTP can hold; each is answered. In order. */
export const pipeline = async (port: number, requests: readonly Buffer[]): Promise<readonly Answered[]> => {
  const answers: Answered[] = [];
  for (let at = 0; at < requests.length; at += atOnce) {
    const batch = requests.slice(at, at + atOnce);
    const got = await exchange(port, batch);
    if (got.length !== batch.length) throw new Error(`expected ${batch.length} answers, found ${got.length}; last ${JSON.stringify(got.at(-1))}`);
    answers.push(...got);
  }
  return answers;
};

const exchange = async (port: number, batch: readonly Buffer[]): Promise<readonly Answered[]> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const answers: Answered[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let taken = take(rest); taken !== null; taken = take(rest)) {
      answers.push(taken.answered);
      rest = rest.subarray(taken.bytes);
    }
  });
  socket.write(Buffer.concat(batch));
  try {
    await until('every answer', () => answers.length >= batch.length || socket.closed, 20_000);
  } finally {
    socket.destroy();
  }
  return answers;
};

const take = (bytes: Buffer): { readonly answered: Answered; readonly bytes: number } | null => {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
  const whole = end + 4 + length;
  if (bytes.length < whole) return null;
  return { answered: { status: Number(head.split(' ')[1]), body: bytes.toString('utf8', end + 4, whole) }, bytes: whole };
};
