import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { portLeases } from '../../src/actors/launch/ports.ts';

const first = 18_700;
const range = { first, last: first + 2 };
const asks = (poolId: string, ports: readonly number[] | null = null, host = '127.0.0.1') => ({ poolId, host, ports, sides: 0 });
const squat = async (port: number): Promise<void> => {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
};

describe('leasing a port', () => {
  it('gives each pool another one, also when they ask at once, and then says which setting gives more', async () => {
    const ports = portLeases({ range });
    const leased = await Promise.all(['a', 'b', 'c'].map((pool) => ports.lease(asks(pool))));
    expect(new Set(leased)).toEqual(new Set([first, first + 1, first + 2]));
    await expect(ports.lease(asks('d'))).rejects.toMatchObject({
      reason: { code: 'port_conflict', message: expect.stringContaining('POOL_MANAGERD_PORT_RANGE') },
    });
  });

  it('passes over a port that somebody listens on', async () => {
    await squat(first);
    expect(await portLeases({ range }).lease(asks('a'))).toBe(first + 1);
    await expect(portLeases({ range }).lease(asks('a', [first]))).rejects.toMatchObject({
      reason: { code: 'port_conflict', message: expect.stringContaining(`${first}`) },
    });
  });

  it('says who has the fixed ports of a pool, and whether the engine beside it makes way for it', async () => {
    const message = (error: unknown): string => (error as { reason: { message: string } }).reason.message;
    const ports = portLeases({ range });
    await ports.lease(asks('solo', [first]));
    ports.adopt({ poolId: 'gone', port: first + 1, sides: 0 });
    ports.release({ poolId: 'gone', port: first + 1, sides: 0 });
    await squat(first + 2);
    const refused = await ports.lease(asks('a', [first, first + 1, first + 2])).catch((thrown: unknown) => thrown);
    expect(message(refused)).toContain(`(${first}: the engine of pool solo, ${first + 1}: nobody, but an engine had it a moment ago: free in `);
    expect(message(refused)).toContain(`, ${first + 2}: this daemon itself); free one`);
    expect(refused).toMatchObject({ reason: { code: 'port_conflict', details: { held_beside: false } } });
    await expect(ports.lease(asks('solo--b', [first]))).rejects.toMatchObject({ reason: { details: { held_beside: true } } });
  });

  it('says so of a port behind it that its own processes would need', async () => {
    const ports = portLeases({ range: { first, last: first + 9 } });
    const wide = (poolId: string, port: number) => ({ poolId, host: '127.0.0.1', ports: [port], sides: 1 });
    await ports.lease(wide('solo', first + 1));
    await expect(ports.lease(wide('solo--b', first))).rejects.toMatchObject({ reason: { details: { held_beside: true } } });
    await expect(ports.lease(wide('a', first))).rejects.toMatchObject({
      reason: { details: { held_beside: false }, message: expect.stringContaining(`${first}: ${first + 1} behind it, the engine of pool solo`) },
    });
  });

  it('names the process that has a port', async () => {
    const listener = spawn(process.execPath, ['-e', `require('net').createServer().listen(${first}, '127.0.0.1', () => console.log(1))`]);
    onTestFinished(async () => {
      const ended = once(listener, 'exit');
      listener.kill('SIGKILL');
      await ended;
    });
    await once(listener.stdout, 'data');
    await expect(portLeases({ range }).lease(asks('a', [first]))).rejects.toMatchObject({
      reason: { message: expect.stringMatching(new RegExp(`${first}: pid ${listener.pid} \\(.+\\)\\)`)) },
    });
  });

  it('gives a pool the one it had, and keeps it from others for a while', async () => {
    let mono = 0;
    const ports = portLeases({ range, quarantineMs: 20_000, mono: () => mono });
    const had = await ports.lease(asks('a'));
    ports.release({ poolId: 'a', port: had, sides: 0 });
    expect(await ports.lease(asks('b'))).not.toBe(had);
    expect(await ports.lease(asks('a'))).toBe(had);
    ports.release({ poolId: 'a', port: had, sides: 0 });
    await expect(ports.lease(asks('c', [had]))).rejects.toMatchObject({ reason: { code: 'port_conflict' } });
    mono = 20_000;
    expect(await ports.lease(asks('c', [had]))).toBe(had);
  });

  it('leaves a port with a stranger on it alone, for its own pool too', async () => {
    const ports = portLeases({ range });
    ports.adopt({ poolId: 'a', port: first, sides: 0 });
    ports.avoid({ poolId: 'a', port: first, sides: 0 });
    expect(await ports.lease(asks('a'))).toBe(first + 1);
  });

  it('does not give away the port of an adopted engine, nor by the release of another pool', async () => {
    const ports = portLeases({ range });
    ports.adopt({ poolId: 'a', port: first, sides: 0 });
    ports.release({ poolId: 'b', port: first, sides: 0 });
    expect(await ports.lease(asks('b'))).toBe(first + 1);
  });

  it('names the host when it is none of this machine', async () => {
    await expect(portLeases({ range }).lease(asks('a', null, '192.0.2.1'))).rejects.toMatchObject({
      reason: { code: 'invalid_spec', message: expect.stringContaining('192.0.2.1') },
    });
  });

  it('gives an engine of several processes the ports behind its own, which nobody else gets while it has them', async () => {
    let mono = 0;
    const ports = portLeases({ range: { first, last: first + 8 }, mono: () => mono });
    const band = (poolId: string) => ({ ...asks(poolId), sides: 2 });
    await squat(first + 1);
    const leased = await Promise.all(['a', 'b'].map((pool) => ports.lease(band(pool))));
    expect(Math.min(...leased)).toBeGreaterThan(first + 1);
    expect(Math.max(...leased) - Math.min(...leased)).toBeGreaterThan(2);
    await expect(ports.lease(band('c'))).rejects.toMatchObject({
      reason: { code: 'port_conflict', message: expect.stringContaining('3 free ports in a row') },
    });
    expect(await ports.lease(asks('d'))).toBe(first);
    ports.release({ poolId: 'a', port: leased[0] ?? 0, sides: 2 });
    await expect(ports.lease(asks('d', [(leased[0] ?? 0) + 1]))).rejects.toMatchObject({ reason: { code: 'port_conflict' } });
    mono = 20_000;
    expect(await ports.lease(asks('d', [(leased[0] ?? 0) + 1]))).toBe((leased[0] ?? 0) + 1);
  });
});
