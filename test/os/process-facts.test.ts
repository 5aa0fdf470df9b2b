import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listenerOwner } from '../../src/os/listener-owner.ts';
import { identityOfPid, isAlive, type ProcStat, parseProcStat, readProcStat } from '../../src/os/proc-stat.ts';
import { descendantsOf, type ProcessTable, processLooker, treeOf } from '../../src/os/process-table.ts';
import { until } from '../kit/until.ts';

const processOf = (pid: number, facts: Partial<ProcStat> = {}): ProcStat => ({
  pid,
  comm: 'x',
  state: 'S',
  ppid: 1,
  pgrp: pid,
  session: pid,
  threads: 1,
  exiting: false,
  cpuTicks: 0,
  majorFaults: 0,
  startTime: pid * 10,
  ...facts,
});
const tableOf = (...found: readonly ProcStat[]): ProcessTable => new Map(found.map((one) => [one.pid, one]));
const pids = (found: readonly ProcStat[]): readonly number[] => found.map(({ pid }) => pid).sort((a, b) => a - b);

describe('a stat line', () => {
  const rest = '12 34 56 0 -1 4194304 100 0 7 0 20 22 0 0 20 0 3 0 98765 0 0';

  it.each(['llama-server', 'a b', 'a) R 1 (b', '))', '(', ''])('is read after the last bracket, whatever the name: %j', (comm) => {
    expect(parseProcStat(`4711 (${comm}) S ${rest}`)).toEqual({
      pid: 4711,
      comm,
      state: 'S',
      ppid: 12,
      pgrp: 34,
      session: 56,
      majorFaults: 7,
      cpuTicks: 42,
      threads: 3,
      exiting: false,
      startTime: 98765,
    });
    expect(parseProcStat(`4711 (${comm}) Z ${rest.replace('4194304', '4194308')}`)).toMatchObject({ exiting: true });
  });

  it.each(['', 'nonsense', '4711 (x', '4711 (x) S 1 2'])('that is none is nobody: %j', (line) => {
    expect(parseProcStat(line)).toBeNull();
  });
});

describe('a process', () => {
  it('is dead as a zombie, which kill(pid, 0) does not tell', async () => {
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(line.toString());
    const identity = identityOfPid(pid);
    await until('the zombie', () => readProcStat(pid)?.state === 'Z');
    expect(identity !== null && isAlive(identity)).toBe(false);
    expect(identityOfPid(pid)).toBeNull();
  });

  it('is not another one that got its pid', () => {
    const own = identityOfPid(process.pid);
    expect(own !== null && isAlive(own)).toBe(true);
    expect(own !== null && isAlive({ ...own, startTime: own.startTime + 1 })).toBe(false);
  });
});

describe('a tree', () => {
  const root = { pid: 100, startTime: 1000 };

  it('is the root, its descendants and whoever is in its group or session', () => {
    const table = tableOf(
      processOf(100),
      processOf(101, { ppid: 100, pgrp: 100, session: 100 }),
      processOf(102, { ppid: 101 }),
      processOf(103, { ppid: 1, pgrp: 103, session: 100 }),
      processOf(104, { ppid: 1, pgrp: 102, session: 102 }),
      processOf(200),
    );
    expect(pids(treeOf(table, { root, recorded: [] }))).toEqual([100, 101, 102, 103, 104]);
    expect(pids(descendantsOf(table, root))).toEqual([101, 102, 103, 104]);
  });

  it('of a dead root is what was recorded and lives, and whoever shares a group with that', () => {
    const table = tableOf(processOf(101, { pgrp: 100, session: 100 }), processOf(102, { pgrp: 100, session: 100 }), processOf(103, { startTime: 9 }));
    const recorded = [
      { pid: 101, startTime: 1010 },
      { pid: 103, startTime: 1030 },
    ];
    expect(pids(treeOf(table, { root, recorded }))).toEqual([101, 102]);
  });

  it('of a dead root has no group, unless the root ended just now or its zombie keeps the number', () => {
    const left = processOf(102, { pgrp: 100, session: 100 });
    expect(treeOf(tableOf(left), { root, recorded: [] })).toEqual([]);
    expect(pids(treeOf(tableOf(left), { root, recorded: [], groupIsOurs: true }))).toEqual([102]);
    expect(pids(treeOf(tableOf(left, processOf(100, { state: 'Z' })), { root, recorded: [] }))).toEqual([102]);
    expect(treeOf(tableOf(left, processOf(100, { startTime: 7 })), { root, recorded: [], groupIsOurs: true })).toEqual([]);
  });

  it('never holds init, this process, or the dead; a zombie with living threads is not dead', () => {
    const table = tableOf(
      processOf(1, { ppid: 100 }),
      processOf(process.pid, { ppid: 100 }),
      processOf(100, { state: 'Z', threads: 2 }),
      processOf(101, { ppid: 100, state: 'Z' }),
    );
    expect(pids(treeOf(table, { root, recorded: [{ pid: 1, startTime: 10 }] }))).toEqual([100]);
  });
});

describe('looking at all processes', () => {
  it('is shared by those who ask at once, but a look for now begins after it was asked for', async () => {
    const look = processLooker();
    const [one, other] = await Promise.all([look(500), look(500)]);
    expect(other).toBe(one);
    expect(await look(500)).toBe(one);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    const running = look(0);
    const [later, same] = await Promise.all([look(0), look(0), running]);
    expect(later).not.toBe(one);
    expect(same).toBe(later);
    expect(later.has(child.pid ?? 0)).toBe(true);
  });
});

/** Takes a while to end, on each of its threads. */
const threadedListener = `
  globalThis.held = Buffer.alloc(2e8, 1);
  for (let i = 0; i < 8; i += 1) new (require('node:worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true });
  const server = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

describe('who listens on a port', () => {
  const listening = async (options: { host: string; reusePort?: boolean }, port = 0): Promise<{ server: Server; port: number }> => {
    const server = createServer().listen({ port, ...options });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return { server, port: address.port };
  };
  const self = identityOfPid(process.pid) ?? { pid: 0, startTime: 0 };
  const run = (port: number, host = '127.0.0.1') => ({ ...self, incarnation: `${port}`, host, port });

  it.each(['127.0.0.1', '0.0.0.0', '::', '::1'])('is ours when a process of the tree holds the socket, on %s', async (host) => {
    const { port } = await listening({ host });
    let asked = 0;
    const owner = listenerOwner(async () => {
      asked += 1;
      return [self];
    });
    expect(await owner(run(port, host))).toBe('ours');
    expect(await owner(run(port, host))).toBe('ours');
    expect(asked).toBe(1);
  });

  it('is nobody before and after', async () => {
    const { server, port } = await listening({ host: '127.0.0.1' });
    const owner = listenerOwner(async () => [self]);
    expect(await owner(run(port))).toBe('ours');
    await new Promise((resolve) => server.close(resolve));
    expect(await owner(run(port))).toBe('none');
  });

  it('is foreign when nobody of the tree does: a squatter', async () => {
    const { port } = await listening({ host: '127.0.0.1' });
    expect(await listenerOwner(async () => [])(run(port))).toBe('foreign');
  });

  it('is foreign when a thief took the port after us, though it was ours before', async () => {
    const { server, port } = await listening({ host: '127.0.0.1' });
    let tree = [self];
    const owner = listenerOwner(async () => tree);
    expect(await owner(run(port))).toBe('ours');
    await new Promise((resolve) => server.close(resolve));
    await listening({ host: '127.0.0.1' }, port);
    tree = [];
    expect(await owner(run(port))).toBe('foreign');
  });

  it('is nobody when the listener ends while its holder is looked for', async () => {
    const { server, port } = await listening({ host: '127.0.0.1' });
    const owner = listenerOwner(async () => {
      await new Promise((resolve) => server.close(resolve));
      return [self];
    });
    expect(await owner(run(port))).toBe('none');
  });

  it('is never foreign while our own process ends: its files are gone before its last thread closes them', async () => {
    const look = processLooker();
    const found = new Set<string>();
    for (let round = 0; round < 2; round += 1) {
      const child = spawn(process.execPath, ['-e', threadedListener], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = await once(child.stdout, 'data');
      const root = identityOfPid(child.pid ?? 0) ?? { pid: 0, startTime: 0 };
      const ending = { ...run(Number(line.toString())), ...root };
      const owner = listenerOwner(async () => treeOf(await look(0), { root, recorded: [] }));
      expect(await owner(ending)).toBe('ours');
      child.kill('SIGKILL');
      for (let verdict = await owner(ending); verdict !== 'none'; verdict = await owner(ending)) found.add(verdict);
    }
    expect([...found].filter((verdict) => verdict !== 'ours')).toEqual([]);
  });

  it('does not mind a listener on another address of the same port', async () => {
    const { port } = await listening({ host: '127.0.0.1' });
    await listening({ host: '127.0.0.2' }, port);
    const owner = listenerOwner(async () => [self]);
    expect(await owner(run(port))).toBe('ours');
    expect(await listenerOwner(async () => [])(run(port, '127.0.0.3'))).toBe('none');
  });
});
