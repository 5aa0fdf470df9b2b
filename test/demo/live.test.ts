/** The demo that waits for a person: plain lines, a killed engine that comes back, Ctrl-C; and the view in a terminal. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { demoProgram, startDemo } from '../kit/demo-process.ts';
import { until } from '../kit/until.ts';

const longest = 60_000;
const script = '/usr/bin/script';

/** What differs from run to run. */
const withoutNumbers = (text: string): string => text.replaceAll(/(pid |port |127\.0\.0\.1:)\d+/g, '$1N').replace(/\/\S+daemon\.log/, 'LOG');

describe('the demo without a terminal', () => {
  it('tells in plain lines what happens, and ends with everything at Ctrl-C', { timeout: longest }, async () => {
    const demo = startDemo();
    const engine = await until('the pid of an engine', () => /the engine of chat is pid (\d+), at http/.exec(demo.stdout())?.[1], 20_000);
    const head = demo.stdout().split('\n').slice(0, 17).join('\n');
    expect(withoutNumbers(head)).toMatchInlineSnapshot(`
      "simulated GPUs: no GPU is used; their memory is made up of what pools are granted
      stub engine: no llama-server with a model was found, so no model runs and what the engines say is made up (--llama-server PATH --model FILE)

      daemon         pool-managerd serve, pid N, log LOG
      dashboard      http://127.0.0.1:N/ (instead of port N)
      description    http://127.0.0.1:N/openapi.json
      metrics        http://127.0.0.1:N/metrics (instead of port N)
      orchestratord  http://127.0.0.1:N, a stand-in that only listens

      try in another terminal:
        npx pool-managerd status -w --url http://127.0.0.1:N
        curl ENDPOINT/completion -d '{"prompt":"Once upon a time","n_predict":64}'
        kill -9 PID   # the engine of chat: it comes back
        npx pool-managerd drain chat --wait --url http://127.0.0.1:N
        npx pool-managerd start large --wait --url http://127.0.0.1:N
      Ctrl-C ends everything.
      "
    `);
    expect(demo.stdout()).toMatch(/orchestratord {2}node demo registered: 2 GPUs, pools chat, code, large/);
    await until('both pools at orchestratord', () => demo.stdout().includes('chat ready 4/4, code ready 2/2, large not ready'), 20_000);
    process.kill(Number(engine), 'SIGKILL');
    await until(
      'its end',
      () => /chat {2}draining\.explaining -> draining\.stopping {2}engine\.exited {2}engine_exited: /.test(demo.stdout()),
      10_000,
    );
    await until('another engine', () => demo.stdout().match(/the engine of chat is pid/g)?.length === 2, 20_000);
    demo.signal('SIGINT');
    expect([await demo.exited, demo.stderr()]).toEqual([0, '']);
    expect(demo.stdout()).toMatch(
      /ending: every pool is drained first[\s\S]*node demo deregistered after \d+ heartbeats[\s\S]*nothing of the demo is left\n$/,
    );
    expect(demo.stdout()).not.toContain('\u001b');
    expect(demo.left()).toEqual({ files: [], pids: [] });
  });

  it('kills at a second Ctrl-C what it drains, and leaves nothing all the same', { timeout: longest }, async () => {
    const demo = startDemo();
    const endpoint = await until('an endpoint', () => /the engine of chat is pid \d+, at (\S+)/.exec(demo.stdout())?.[1], 20_000);
    const request = fetch(`${endpoint}/completion`, { method: 'POST', body: '{"prompt":"x","n_predict":50000}' }).then(
      () => 'answered',
      () => 'cut',
    );
    await until('the request in the engine', async () => (await (await fetch(`${endpoint}/slots`)).text()).includes('"is_processing":true'));
    demo.signal('SIGINT');
    await until('the end being told', () => /ending: [\s\S]*chat draining/.test(demo.stdout()));
    demo.signal('SIGINT');
    expect([await demo.exited, demo.stderr(), await request]).toEqual([0, '', 'cut']);
    expect(demo.left()).toEqual({ files: [], pids: [] });
  });

  it('says so and ends with 1 when the daemon dies, and leaves no engine behind', { timeout: longest }, async () => {
    const demo = startDemo();
    await until('a ready pool', () => demo.stdout().includes('the engine of chat is pid'), 20_000);
    process.kill(Number(/serve, pid (\d+)/.exec(demo.stdout())?.[1]), 'SIGKILL');
    expect(await demo.exited).toBe(1);
    expect(demo.stderr()).toContain('unasked, the daemon ended with SIGKILL');
    expect(demo.left()).toEqual({ files: [], pids: [] });
  });
});

describe.skipIf(!existsSync(script))('the demo in a terminal', () => {
  it('is a view drawn over and over, which gives the terminal back at Ctrl-C', { timeout: longest }, async () => {
    const terminal = openTerminal();
    await until('a page with both pools ready', () => isWhole(terminal.pages().at(-1) ?? ''), 20_000);
    const page = stripVTControlCharacters(terminal.pages().findLast(isWhole) ?? '');
    expect(page).toMatch(/^simulated GPUs: no GPU is used/);
    expect(page).toMatch(/chat +ready\.healthy .* chat-7b-stub +0 +4\/4 +7\.5 GiB/);
    expect(page).toMatch(/large +uninitialized\.idle/);
    expect(page).toMatch(/0 +Simulated 24 GiB \(simulated\) +healthy +7\.5 GiB/);
    expect(page).toMatch(/registration +registered\s+heartbeats +\d+, the last said: chat ready 4\/4, code ready 2\/2, large not ready/);
    expect(page).toMatch(/code {2}starting\.proving -> ready\.healthy/);
    expect(page).toMatch(/curl http:\/\/127\.0\.0\.1:\d+\/completion[\s\S]*kill -9 \d+[\s\S]*Ctrl-C ends everything/);
    const seconds = (performance.now() - terminal.beganAt) / 1000;
    expect(terminal.pages().length).toBeLessThanOrEqual(4 * seconds + 1);
    terminal.type('\u0003');
    expect(await terminal.exited).toBe(0);
    const output = terminal.output();
    const [before, ...drawn] = output.split(enterPage);
    expect([before, drawn.length]).toEqual(['', 1]);
    expect(drawn.join('')).toMatch(/ending: every pool is drained first[\s\S]*draining/);
    expect(output.split(leavePage).slice(1)).toEqual([expect.stringMatching(/^nothing of the demo is left\s*$/)]);
  });
});

const enterPage = '\u001b[?1049h\u001b[?7l\u001b[?25l';
const leavePage = '\u001b[?25h\u001b[?7h\u001b[?1049l';

const isWhole = (page: string): boolean => page.includes('chat ready 4/4, code ready 2/2') && page.includes('Ctrl-C ends everything');

/** `script` gives the demo a terminal and passes on its exit code. */
const openTerminal = () => {
  const beganAt = performance.now();
  const command = `stty rows 50 cols 160; exec ${process.execPath} ${demoProgram} demo --free-ports`;
  const child = spawn(script, ['-qec', command, '/dev/null'], {
    env: { ...process.env, PATH: '/usr/bin:/bin', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString('utf8')));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    if (child.exitCode === null) child.stdin.write('\u0003\u0003');
    await exited;
  });
  return {
    beganAt,
    exited,
    output: () => output,
    pages: () => output.split('\u001b[H').slice(1),
    type: (text: string) => child.stdin.write(text),
  };
};
