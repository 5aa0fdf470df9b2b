/**
 * Makes `dist/package`, what is packed for npm: JavaScript, since Node strips no types inside `node_modules`. The packages of
 * others are in its scripts, so that starting it reads one file instead of hundreds; Node itself still comes through npm.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stubScript, threadScript } from '../../src/os/self.ts';
import { assets, type BuildInfo, buildInfo, bundle, root } from './bundle.ts';
import { licencesOf } from './licences.ts';

/** Script → what it is made of. The first four are what `bin/pool-managerd.js` imports. */
const scripts = {
  'main.js': 'src/main.ts',
  'serve.js': 'src/serve-main.ts',
  'engine-exec.js': 'src/engine-exec/main.ts',
  'nvml-probe.js': 'src/gpu/nvml/main.ts',
  [stubScript]: 'src/demo/stub-llama-server.ts',
  [threadScript]: 'src/provisioning/jobs/worker.ts',
} as const;

const copied = ['bin', 'README.md', 'CHANGELOG.md', 'LICENSE', 'examples/pools.yaml', 'docs/schemas/pools.schema.json'] as const;

/** Nothing is to be installed beside it but Node. */
const manifest = (): object => {
  const { name, version, description, license, type, engines, bin, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, unknown>>;
  return { name, version, description, license, type, engines, bin, optionalDependencies };
};

/** Replaces what is at `into`. */
export const makePackage = async (into: string = join(root, 'dist/package'), info: BuildInfo = buildInfo()): Promise<string> => {
  const bundles = await Promise.all(Object.entries(scripts).map(async ([name, input]) => ({ name, ...(await bundle(input, info)) })));
  rmSync(into, { recursive: true, force: true });
  mkdirSync(join(into, 'lib'), { recursive: true });
  for (const { name, code } of bundles) writeFileSync(join(into, 'lib', name), code);
  for (const [path, file] of Object.entries(assets())) copy(file, join(into, 'lib', path));
  for (const path of copied) copy(join(root, path), join(into, path));
  writeFileSync(join(into, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  writeFileSync(join(into, 'LICENSES-OF-OTHERS'), licencesOf([...new Set(bundles.flatMap(({ packages }) => packages))].sort()));
  return into;
};

const copy = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
};

if (import.meta.main) console.log(`${await makePackage()} written`);
