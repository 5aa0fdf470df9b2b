/** What systemd hears: told to a real datagram socket, in both ways of naming one. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inheritedListener } from '../../src/os/inherited-listener.ts';
import { createNotifier, type Notifier } from '../../src/os/notify.ts';
import { createWatchdog } from '../../src/os/watchdog.ts';
import { type Receiver, receiveDatagrams } from '../kit/datagrams.ts';
import { until } from '../kit/until.ts';

let dir = '';
const undo: (() => void)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'notify-'));
});
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
  rmSync(dir, { recursive: true, force: true });
});

const receive = async (name: string): Promise<Receiver> => {
  const receiver = await receiveDatagrams(name);
  undo.push(receiver.end);
  return receiver;
};

const notifierFor = (socket: string, more: Record<string, string> = {}): { readonly notifier: Notifier; readonly env: NodeJS.ProcessEnv } => {
  const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: socket, ...more };
  const notifier = createNotifier(env);
  undo.push(notifier.close);
  return { notifier, env };
};

describe('a daemon under systemd', () => {
  it.each(['path', 'abstract name'])('is heard from its own pid over a socket with a %s', async (kind) => {
    const socket = kind === 'path' ? join(dir, 'notify') : `@pool-managerd-test-${process.pid}`;
    const receiver = await receive(socket);
    const { notifier } = notifierFor(socket);
    await notifier.ready('2 pools, 1 ready');
    notifier.status('2 pools,\n2 ready');
    notifier.watchdog();
    notifier.extendTimeout(1500);
    await notifier.reloading();
    await notifier.stopping('engines stay');
    await until('six messages', () => receiver.heard.length === 6);
    expect(new Set(receiver.heard.map(([pid]) => pid))).toEqual(new Set([process.pid]));
    const texts = receiver.heard.map(([, text]) => text);
    expect(texts.filter((_, index) => index !== 4)).toEqual([
      'READY=1\nSTATUS=2 pools, 1 ready',
      'STATUS=2 pools, 2 ready',
      'WATCHDOG=1',
      'EXTEND_TIMEOUT_USEC=1500000',
      'STOPPING=1\nSTATUS=engines stay',
    ]);
    const monotonic = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(texts[4] ?? '')?.[1]);
    expect(Math.abs(monotonic - Number(process.hrtime.bigint() / 1000n))).toBeLessThan(10_000_000);
  });

  it('loses no READY to a queue that is full of status lines (row 9)', async () => {
    const socket = join(dir, 'notify');
    const receiver = await receive(socket);
    await receiver.order('hold');
    const { notifier } = notifierFor(socket);
    for (let index = 0; index < 1000; index += 1) notifier.status(`flood ${index}`);
    const ready = notifier.ready('at last');
    await receiver.order('read');
    await ready;
    await until('READY', () => receiver.heard.some(([, text]) => text === 'READY=1\nSTATUS=at last'));
    expect(receiver.heard.length).toBeLessThan(1000);
  });

  it('waits for a systemd that is being re-executed', async () => {
    const socket = join(dir, 'notify');
    const { notifier } = notifierFor(socket);
    const ready = notifier.ready('patient');
    const receiver = await receive(socket);
    await ready;
    await until('READY', () => receiver.heard.length === 1);
  });

  it('leaves nothing in the environment that a child could speak with', () => {
    const { notifier, env } = notifierFor(join(dir, 'notify'), { WATCHDOG_USEC: '15000000', WATCHDOG_PID: String(process.pid), HOME: '/' });
    expect(env).toEqual({ HOME: '/' });
    expect(notifier.watchdogUsec).toBe(15_000_000);
  });

  it('does not take a watchdog meant for its parent for its own', () => {
    expect(notifierFor(join(dir, 'notify'), { WATCHDOG_USEC: '1000000', WATCHDOG_PID: '1' }).notifier.watchdogUsec).toBeNull();
  });

  it('says nothing where no systemd asked', async () => {
    const notifier = createNotifier({});
    expect(notifier.underSystemd).toBe(false);
    await notifier.ready('unheard');
  });

  it('speaks through systemd-notify where Node has no ffi', async (context) => {
    try {
      execFileSync('systemd-notify', ['--version'], { stdio: 'ignore' });
    } catch {
      context.skip('systemd-notify is not installed');
    }
    const socket = join(dir, 'notify');
    const receiver = await receive(socket);
    const script = `import { createNotifier } from ${JSON.stringify(join(import.meta.dirname, '../../src/os/notify.ts'))};
      await createNotifier().ready('by a child');`;
    execFileSync(process.execPath, ['--no-experimental-ffi', '--input-type=module', '-e', script], {
      env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket },
    });
    await until('READY', () => receiver.heard.some(([, text]) => text.includes('READY=1') && text.includes('STATUS=by a child')));
  });
});

describe('the watchdog', () => {
  it('is fed three times an interval while all is well, and not at all otherwise', async () => {
    let [fed, healthy] = [0, true];
    const eat = (): void => {
      fed += 1;
    };
    const begun = performance.now();
    const stop = createWatchdog({ notifier: { watchdog: eat }, usec: 60_000, isHealthy: () => healthy });
    undo.push(stop);
    await until('ten meals', () => fed >= 10);
    expect((performance.now() - begun) / 9).toBeGreaterThan(15);
    healthy = false;
    const eaten = fed;
    const timer = performance.now();
    await until('three intervals', () => performance.now() - timer > 180);
    expect(fed).toBe(eaten);
    healthy = true;
    await until('a meal after recovery', () => fed > eaten);
  });

  it('does nothing where nobody watches', () => {
    createWatchdog({
      notifier: { watchdog: () => expect.unreachable() },
      usec: null,
      isHealthy: () => true,
    })();
  });
});

describe('the inherited listener', () => {
  it('is descriptor 3 when it was meant for this process, and is forgotten by the environment', () => {
    const env: NodeJS.ProcessEnv = { LISTEN_PID: '77', LISTEN_FDS: '1', LISTEN_FDNAMES: 'api', HOME: '/' };
    expect(inheritedListener(env, 77)).toEqual({ fd: 3 });
    expect(env).toEqual({ HOME: '/' });
  });

  it.each([
    ['was passed to another process', { LISTEN_PID: '76', LISTEN_FDS: '1' }],
    ['was not passed', {}],
    ['is announced and absent', { LISTEN_PID: '77', LISTEN_FDS: '0' }],
  ])('is none where it %s', (_, env) => {
    expect(inheritedListener({ ...env }, 77)).toBeNull();
  });

  it('is not guessed among several', () => {
    expect(() => inheritedListener({ LISTEN_PID: '77', LISTEN_FDS: '2' }, 77)).toThrow(/expected one socket from systemd, found LISTEN_FDS=2/);
  });

  it('serves in the process that got it and is closed in its children', async () => {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    undo.push(() => listener.close());
    const script = `import { inheritedListener } from ${JSON.stringify(join(import.meta.dirname, '../../src/os/inherited-listener.ts'))};
      import { execFileSync } from 'node:child_process';
      process.env.LISTEN_PID = String(process.pid);
      const { fd } = inheritedListener();
      const server = (await import('node:net')).createServer().listen({ fd }, () => {
        const inChild = execFileSync('sh', ['-c', 'readlink /proc/self/fd/3 || echo closed; echo "[$LISTEN_FDS]"']).toString();
        console.log(JSON.stringify({ port: server.address().port, inChild }));
        process.exit(0);
      });`;
    const handle: unknown = Reflect.get(listener, '_handle');
    const fd = typeof handle === 'object' && handle !== null && 'fd' in handle ? Number(handle.fd) : -1;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
      env: { PATH: process.env['PATH'], LISTEN_FDS: '1' },
    });
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await until('the child to answer', () => child.exitCode !== null && text !== '');
    const address = listener.address();
    expect(JSON.parse(text)).toEqual({ port: typeof address === 'object' ? address?.port : null, inChild: 'closed\n[]\n' });
  });
});
