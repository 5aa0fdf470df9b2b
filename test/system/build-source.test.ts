/** A small CMake project that makes a program named llama-server, built by the real git, CMake and compiler. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';
import { createBuildSource } from '../../src/provisioning/source/build-source.ts';
import { storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { passenger } from '../kit/provisioning.ts';

const hasTools = ['git', 'cmake', 'c++'].every((tool) => spawnSync(tool, ['--version']).status === 0);

const program = `#include <cstdio>
#include <cstring>
int main(int argc, char **argv) {
  if (argc > 1 && !std::strcmp(argv[1], "--version")) std::puts("version: 7.8.9 (build 1)");
  else if (argc > 1 && !std::strcmp(argv[1], "--help")) std::puts("-m,    --model FNAME   the model");
  else return 1;
}
`;

it.skipIf(!hasTools)('an engine is built from a repository by the real tools', { timeout: 180_000 }, async () => {
  const dir = await temporaryDir();
  const repo = join(dir, 'repo');
  await mkdir(repo);
  await writeFile(join(repo, 'main.cpp'), program);
  await writeFile(join(repo, 'CMakeLists.txt'), 'cmake_minimum_required(VERSION 3.14)\nproject(engine CXX)\nadd_executable(llama-server main.cpp)\n');
  const git = (...args: readonly string[]) => execFileSync('git', ['-C', repo, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args]);
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'engine');
  git('tag', 'v1');
  const build = createBuildSource({
    paths: storePaths(join(dir, 'cache')),
    baseDir: dir,
    simulated: true,
    selfTest: createSelfTest({ simulated: true }),
    architectures: async () => [],
    env: process.env,
  });
  const wanted = {
    engine: 'llamacpp',
    repo: `file://${repo}`,
    ref: 'v1',
    submodules: true,
    cmakeFlags: [],
    generator: null,
    cacheDir: null,
  } as const;
  const present = await build(wanted, passenger());
  expect(present).toMatchObject({ version: '7.8.9', knownFlags: ['-m', '--model'] });
  const begun = performance.now();
  expect(await build(wanted, passenger())).toEqual(present);
  expect(performance.now() - begun, 'of which most is asking the compiler its version').toBeLessThan(2_000);
});
