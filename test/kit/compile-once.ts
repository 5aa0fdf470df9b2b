/**
 * Before the tests: everything that a daemon and the stub engine are made of is compiled once and kept where `daemon.ts` has its
 * processes look. Else the first dozen, all started in the same seconds, would each compile all of it.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { compiled } from './compiled.ts';

const root = resolve(import.meta.dirname, '../..');
const imports = ['src/cli/program.ts', 'src/serve.ts', 'src/demo/stub-engine/serve.ts'].map(
  (file) => `await import(${JSON.stringify(resolve(root, file))});`,
);

export default (): void => {
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', imports.join('\n')], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: compiled },
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`expected the sources to be compiled, found ${status}: ${stderr}`);
};
