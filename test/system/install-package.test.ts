/** A wheel of our own, by the real venv and pip, without a network. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createInstallPackage } from '../../src/provisioning/package/install-package.ts';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';
import { storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { passenger } from '../kit/provisioning.ts';
import { wheel } from '../kit/wheel.ts';

const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0;

it.skipIf(!hasVenv)('a package is installed by venv and pip, answers for itself, and is used again', { timeout: 180_000 }, async () => {
  const dir = await temporaryDir();
  for (const version of ['1.0.0', '2.0.0']) await writeFile(join(dir, `vllm-${version}-py3-none-any.whl`), wheel(version));
  const env = { PATH: '/usr/bin:/bin:/usr/local/bin', HOME: dir, PIP_NO_INDEX: '1', PIP_FIND_LINKS: dir };
  const install = createInstallPackage({
    paths: storePaths(join(dir, 'cache')),
    baseDir: dir,
    simulated: true,
    selfTest: createSelfTest({ simulated: true }),
    env,
  });
  const wanted = { engine: 'vllm', name: 'vllm', version: '1.0.0', lock: null } as const;
  const present = await install(wanted, passenger());
  expect(present).toMatchObject({ version: '1.0.0', knownFlags: ['--model'] });
  const begun = performance.now();
  expect(await install(wanted, passenger())).toEqual(present);
  expect(performance.now() - begun).toBeLessThan(500);
  const digest = createHash('sha256').update(wheel('2.0.0')).digest('hex');
  await writeFile(join(dir, 'good.lock'), `vllm==2.0.0 --hash=sha256:${digest}\n`);
  const locked = { ...wanted, version: '2.0.0', lock: 'good.lock' };
  expect(await install(locked, passenger()), 'by a lock file with its hash').toMatchObject({ version: '2.0.0' });
  await writeFile(join(dir, 'bad.lock'), `vllm==2.0.0 --hash=sha256:${'0'.repeat(64)}\n`);
  await expect(install({ ...locked, lock: 'bad.lock' }, passenger())).rejects.toMatchObject({
    reason: { code: 'install_failed', message: expect.stringMatching(/HASHES|hash/i) },
  });
  await expect(install({ ...wanted, version: '3.0.0' }, passenger())).rejects.toMatchObject({ reason: { code: 'install_failed' } });
});
