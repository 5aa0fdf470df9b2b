/**
 * The commands of the pages, run as they stand there: blocks marked `sh run`, each page in a folder of its own, with simulated
 * cards and the stub in the place of llama-server. `sh run background` goes on while the rest is run; what never ends by itself is
 * ended after a while.
 */
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import { openHouse } from '../kit/daemon.ts';
import { type Block, blocksIn, pages } from '../kit/documents.ts';
import { freePorts } from '../kit/free-ports.ts';
import { tinyModel } from '../kit/llama-server.ts';

const project = resolve(import.meta.dirname, '../..');
const command = join(project, 'bin/pool-managerd.js');
const runnable = pages.filter((page) => blocksIn(page).some(({ info }) => info.startsWith('sh run')));

it('are marked in pages for beginners and operators', () => {
  expect(runnable).toEqual(
    expect.arrayContaining(['README.md', 'docs/first-node.md', 'docs/operations.md', 'docs/multi-node.md', 'docs/provisioning.md']),
  );
});

it.each(runnable)('those of %s do what the page says, in their order', async (page) => {
  const house = await openHouse();
  try {
    const { output, code } = await run(
      house.dir,
      blocksIn(page).filter(({ info }) => info.startsWith('sh run')),
    );
    expect(code, output).toBe(0);
  } finally {
    await house.close();
  }
});

/** What a reader would have by then: two pools declared, and the daemon up. */
const alreadyThere = `
[ -e pools.yaml ] || { pool-managerd config example > /dev/null; cat > pools.yaml <<'END'
pools:
  - { id: chat, engine: llamacpp, model: model.gguf, devices: [0] }
  - { id: draft, engine: llamacpp, model: model.gguf, devices: [0] }
END
POOL_MANAGERD_CONFIG=pools.yaml pool-managerd serve > daemon.log 2>&1 &
until curl --silent --fail --output /dev/null http://127.0.0.1:9200/health; do sleep 0.1; done
pool-managerd start chat --wait; }
# Something must have happened that an operator would look into.
kill -9 "$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' .runtime/state/runs/chat.json | head -n 1)"
until pool-managerd pool chat --json | grep -q '"restarts": 1,'; do sleep 0.1; done
pool-managerd start chat --wait
`;

/** What a reader ends by Ctrl-C. */
const neverEnds = /^(?:npx )?pool-managerd (?:events -f|inspect|logs \S+ -f)/;

/** A line as it is run here: where the state is that a package would keep elsewhere, and with an end. */
const runHere = (line: string): string => {
  const here = line.replaceAll('/var/lib/pool-managerd/', '.runtime/state/');
  return neverEnds.test(here) ? `timeout 3 ${here.replace(/ #.*$/, '')} || [ $? -eq 124 ]` : here;
};

/** Its arguments of Node, in the folder of the project. */
const startScript = async (): Promise<string> => {
  const { scripts } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'));
  return String(scripts.start)
    .replace(/^node /, '')
    .replace(/\bbin\//, `${join(project, 'bin')}/`);
};

const run = async (dir: string, blocks: readonly Block[]) => {
  const { first } = await freePorts(4);
  const bin = join(dir, 'bin');
  await mkdir(bin, { recursive: true });
  await writeStubExecutable(bin);
  await writeFile(join(bin, 'pool-managerd'), `#!/bin/sh\nexec ${process.execPath} ${command} "$@"\n`);
  await chmod(join(bin, 'pool-managerd'), 0o755);
  // Of a clone: `npx` finds the command, and `npm start` is what `package.json` says.
  await writeFile(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  await writeFile(join(bin, 'npm'), `#!/bin/sh\n[ "$1" = start ] && exec ${process.execPath} ${await startScript()}\n`, { mode: 0o755 });
  if (tinyModel !== null) await cp(tinyModel, join(dir, 'model.gguf'));
  const begun = blocks.some(({ info }) => info.endsWith('background'));
  const script = [
    'set -eu',
    ...(begun ? [] : [alreadyThere]),
    ...blocks.map(({ info, text }) =>
      info.endsWith('background')
        ? `( ${text.trim()} ) > daemon.log 2>&1 &\nuntil curl --silent --fail --output /dev/null http://127.0.0.1:9200/health; do sleep 0.1; done`
        : text.split('\n').map(runHere).join('\n'),
    ),
  ].join('\n');
  const child = spawn('bash', ['-c', script.replaceAll('127.0.0.1:9200', `127.0.0.1:${first}`)], {
    cwd: dir,
    env: {
      PATH: `${bin}:${process.env['PATH']}`,
      HOME: dir,
      POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${first}`,
      PROMETHEUS_METRICS_PORT: '0',
      POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
      POOL_MANAGERD_LAUNCHER: 'detached',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
  const code = await new Promise<number | null>((settle) => child.on('exit', settle));
  return { output, code };
};
