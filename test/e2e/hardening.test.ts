/** What a daemon does not put up with, at its start and while it runs. */
import { chmod, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';

describe.concurrent('a daemon', patient, () => {
  it('does not start on a directory that everybody may write to, and says which and what to do (S16)', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    await chmod(house.runtimeDir, 0o777);
    const { code, stderr } = await house.refused();
    expect(code).toBe(78);
    expect(stderr).toBe(
      `POOL_MANAGERD_RUNTIME_DIR: ${house.runtimeDir}: expected that nobody else may write there, found that everybody may; chmod o-w it, or set another directory\n`,
    );
  });

  it('opens no debugger to whoever may send it SIGUSR1 (S31)', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    daemon.signal('SIGUSR1');
    daemon.signal('SIGUSR1');
    expect((await daemon.ask('GET', '/health')).status).toBe(200);
    const { code, stderr } = await daemon.end();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('has at most 1000 pools: the next declaration is told to wait (S37)', async (t) => {
    const house = await daemonHouse(t);
    await house.declare(Array.from({ length: 999 }, (_, index) => house.stub(`pool-${index}`, { preload: false })));
    const daemon = await house.start();
    const declare = (id: string) => daemon.ask('POST', '/v2/pools', house.stub(id, { preload: false }));
    expect((await declare('last')).status).toBe(201);
    const { status, body, headers } = await declare('beyond');
    expect({ status, code: body['code'] }).toEqual({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect(headers.get('retry-after')).toBe('5');
    expect((await daemon.ask('DELETE', '/v2/pools/last')).status).toBe(202);
    expect((await declare('beyond')).status).toBe(201);
  });

  it('gives its engines an environment of their own (S2)', async (t) => {
    const house = await daemonHouse(t, { HF_TOKEN: 'canary-hub', AWS_SECRET_ACCESS_KEY: 'canary-cloud', NODE_OPTIONS: '--no-warnings' });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const environment = await readFile(`/proc/${house.run('pool-0')?.pid}/environ`, 'utf8');
    expect(environment).not.toMatch(/canary|NODE_OPTIONS|POOL_MANAGERD|LLORCH/);
    const names = environment.split('\0').map((line) => line.split('=')[0]);
    // PWD is of the shell that the stub begins as.
    expect(names.filter((name) => name !== '' && name !== 'PWD').sort()).toEqual(['HOME', 'LANG', 'NODE_COMPILE_CACHE', 'PATH', 'STUB_LOAD_MS']);
  });
});
