/** What an engine does not answer in time may be a busy machine's doing: it is tried again, where a wrong answer is final. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { adapterFor } from '../../src/engines/index.ts';
import { createSelfTest } from '../../src/provisioning/self-test/self-test.ts';

const help = `-m,    --model FNAME     the model
-c,    --ctx-size N      size of the context
-np,   --parallel N      number of slots
--host HOST              address, or a path that ends with .sock
`;

/** `hangs`: the argument at which it answers nothing any more; `serves`: what it does as a server. */
const engine = async ({ hangs = 'none', serves = 'exit 1' }): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'self-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, 'llama-server');
  await writeFile(
    path,
    `#!/bin/sh
[ "$1" = "${hangs}" ] && exec sleep 60
case "$1" in
--version) echo 'version: 1 (build 1)' >&2 ;;
--help) cat '${path}.help' ;;
--list-devices) echo 'Available devices:'; echo '  CUDA0: a card (1 MiB, 1 MiB free)' ;;
*) ${serves} ;;
esac
`,
  );
  await writeFile(`${path}.help`, help);
  await chmod(path, 0o755);
  return path;
};

const reasonOf = async (executable: string) => {
  const test = createSelfTest({ simulated: false, askDeadlineMs: 500, tokenDeadlineMs: 500 });
  return test(executable, adapterFor('llamacpp'), new AbortController().signal).then(
    () => expect.unreachable('expected a failure'),
    (thrown) => thrown.reason,
  );
};

describe('an engine that is tested', () => {
  it.each(['--version', '--list-devices'])('and does not answer to %s in time is tried again', async (hangs) => {
    expect(await reasonOf(await engine({ hangs }))).toMatchObject({ code: 'start_stalled', message: expect.stringContaining(hangs) });
  });

  it('and generates no token in time is tried again', async () => {
    expect(await reasonOf(await engine({ serves: 'exec sleep 60' }))).toMatchObject({
      code: 'start_stalled',
      message: expect.stringContaining('a token within 500 ms'),
    });
  });

  it('and ends instead of generating a token is incompatible', async () => {
    expect(await reasonOf(await engine({ serves: 'echo no such instruction >&2; exit 132' }))).toMatchObject({
      code: 'engine_incompatible',
      message: expect.stringContaining('no such instruction'),
    });
  });
});
