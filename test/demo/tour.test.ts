/** The tour as a command: what it shows in which order, with the stub and with the real engine, and what it does not forgive. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helpText } from '../../src/demo/stub-engine/arguments.ts';
import { pidsIn, startDemo } from '../kit/demo-process.ts';
import { realEngine } from '../kit/llama-server.ts';
import { until } from '../kit/until.ts';

const longest = 60_000;
const model = join(import.meta.dirname, '../fixtures/models/tiny-random-llama.gguf');

/** Each after the one before. */
const story = [
  'step 1 of 9: the node comes up',
  'chat is uninitialized',
  'orchestratord: node demo registered, pools chat, code, large',
  'says that chat is not ready',
  'step 2 of 9: start chat',
  'POST /v2/pools/chat/preload',
  'chat is provisioning',
  'chat is starting',
  'chat is ready',
  'says that chat is ready',
  'step 3 of 9: a completion',
  '24 tokens in',
  'step 4 of 9: kill -9 its engine',
  'chat is draining  engine_exited',
  'chat is offline  engine_exited',
  'says that chat is not ready',
  'step 5 of 9: recovery',
  'chat is provisioning',
  'chat is starting',
  'chat is ready',
  '1 restart',
  'says that chat is ready',
  'step 6 of 9: drain with a request in flight',
  ' in the engine',
  'POST /v2/pools/chat/drain',
  'chat is draining',
  'got all of ',
  'step 7 of 9: stopped',
  'chat is offline',
  'no process of its engine is left',
  'step 8 of 9: start it again',
  'chat is provisioning',
  'chat is starting',
  'chat is ready',
  'step 9 of 9: the end',
  'the daemon ended with 0; no engine is left',
  'the node deregistered',
  'events replayed, the same states and contexts as recorded',
  'all 9 steps were seen',
  'nothing of the demo is left',
];

/** The first of the story that is not in the text after those before it; null: all are. */
const untold = (text: string): string | null => {
  let from = 0;
  for (const part of story) {
    const at = text.indexOf(part, from);
    if (at < 0) return part;
    from = at + part.length;
  }
  return null;
};

const expectWholeTour = async (...args: readonly string[]): Promise<string> => {
  const demo = startDemo('--tour', ...args);
  expect([await demo.exited, demo.stderr()]).toEqual([0, '']);
  expect(untold(demo.stdout())).toBeNull();
  // Daemon, and engines of chat before and after the kill, and after the start at the end.
  expect(pidsIn(demo.stdout()).length).toBeGreaterThanOrEqual(4);
  expect(demo.left()).toEqual({ files: [], pids: [] });
  return demo.stdout();
};

describe('the tour', () => {
  it('sees every state of a pool, with the stub, and leaves nothing', { timeout: longest }, async () => {
    const text = await expectWholeTour();
    expect(text).toContain('the API: draining, 1 in flight');
    expect(text.split('\n').slice(0, 2).join('\n')).toMatch(/^simulated GPUs: no GPU is used.*\nstub engine: .*made up/);
  });

  it.skipIf(realEngine === null)('does so with a real llama-server', { timeout: longest }, async () => {
    const text = await expectWholeTour('--llama-server', realEngine ?? '', '--model', model);
    expect(text).toMatch(/^simulated GPUs: no GPU is used.*\nreal engines: /);
  });

  it('ends with 1 where the engine does not start, says what it missed, and leaves nothing', { timeout: longest }, async () => {
    const demo = startDemo('--tour', '--llama-server', brokenEngine(), '--model', model);
    expect(await demo.exited).toBe(1);
    expect(demo.stderr()).toContain('missing in step "start chat": pool chat: expected ready after starting, found draining');
    expect(demo.stderr()).toMatch(/not reached: a completion.*; kill -9.*; recovery.*; drain.*; stopped.*; start it again; the end/);
    expect(demo.stdout()).not.toContain('all 9 steps');
    expect(demo.left()).toEqual({ files: [], pids: [] });
  });

  it('ends with 1 when it is interrupted: not all of it was seen', { timeout: longest }, async () => {
    const demo = startDemo('--tour');
    await until('the middle of the tour', () => demo.stdout().includes('chat is provisioning'), 20_000);
    demo.signal('SIGINT');
    expect(await demo.exited).toBe(1);
    expect(demo.stderr()).toMatch(/missing in step "start chat": .* found nothing more before the tour was ended\nnot reached: /);
    expect(demo.left()).toEqual({ files: [], pids: [] });
  });
});

/** It says its version and its flags, and ends as soon as it is to serve. */
const brokenEngine = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'broken-engine-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'llama-server');
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$1" in\n--version) echo 'version: 1 (abc)' ;;\n--help) cat <<'END'\n${helpText}END\n;;\n*) echo broken >&2; exit 3 ;;\nesac\n`,
  );
  chmodSync(file, 0o755);
  return file;
};
