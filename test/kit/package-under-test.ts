/**
 * The daemon that tests start is the one that is shipped: the package for npm, made of the sources as they are now. It starts in
 * half the time of the sources, whose hundreds of files each process would read and compile.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stubScript } from '../../src/os/self.ts';
import { root } from '../../tools/build/bundle.ts';
import { makePackage } from '../../tools/build/package.ts';

/** What `globalSetup` made, handed on to the processes of the tests. */
const variable = 'PACKAGE_UNDER_TEST';
const packages = join(root, 'dist', 'under-test');
/** Another run may still use one that is no longer what the sources say. */
const keptMs = 3_600_000;

/** The folder of the package; made by the first call, and with it what V8 compiles of it. */
export const packageUnderTest = async (): Promise<string> => {
  process.env[variable] ??= await make();
  return process.env[variable];
};

/** Its command, as arguments of Node. */
export const commandUnderTest = async (): Promise<string> => join(await packageUnderTest(), 'bin/pool-managerd.js');

/** Its stub engine: program and first arguments. */
export const stubUnderTest = async (): Promise<readonly string[]> => [process.execPath, join(await packageUnderTest(), 'lib', stubScript)];

/** Where Node keeps what it has compiled of it, for NODE_COMPILE_CACHE. */
export const compiledUnderTest = async (): Promise<string> => join(await packageUnderTest(), 'compiled');

const make = async (): Promise<string> => {
  mkdirSync(packages, { recursive: true });
  for (const old of readdirSync(packages).map((name) => join(packages, name)))
    if (Date.now() - statSync(old).mtimeMs > keptMs) rmSync(old, { recursive: true, force: true });
  const made = await makePackage(mkdtempSync(join(packages, '.making-')), { commit: 'under test', date: '1970-01-01' });
  const place = join(packages, digestOf(made));
  if (existsSync(place)) {
    rmSync(made, { recursive: true });
    utimesSync(place, new Date(), new Date());
    return place;
  }
  renameSync(made, place);
  await compile(place);
  return place;
};

/** Starts it once, so that the first daemons of the tests find compiled what all of them load. */
const compile = async (place: string): Promise<void> => {
  const dir = mkdtempSync(join(tmpdir(), 'pool-managerd-compile-'));
  writeFileSync(join(dir, 'pools.yaml'), 'pools: []\n');
  const daemon = spawn(process.execPath, [join(place, 'bin/pool-managerd.js'), 'serve'], {
    cwd: dir,
    env: {
      PATH: process.env['PATH'],
      HOME: dir,
      NODE_COMPILE_CACHE: join(place, 'compiled'),
      POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0',
      PROMETHEUS_METRICS_PORT: '0',
      POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
      POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
      POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
      POOL_MANAGERD_RUNTIME_DIR: join(dir, 'engines'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  let said = '';
  daemon.stdout.on('data', (data: Buffer) => {
    const before = said;
    said += data.toString('utf8');
    // Once: a second one would end it at once.
    if (said.includes('"listening"') && !before.includes('"listening"')) daemon.kill('SIGTERM');
  });
  const [code] = await once(daemon, 'close');
  rmSync(dir, { recursive: true, force: true });
  if (code !== 0) throw new Error(`expected the package to start and end, found ${code}: ${said}`);
};

const digestOf = (dir: string): string => {
  const digest = createHash('sha256');
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }).sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  ))
    if (entry.isFile()) digest.update(`${entry.name}\n`).update(readFileSync(join(entry.parentPath, entry.name)));
  return digest.digest('hex').slice(0, 16);
};
