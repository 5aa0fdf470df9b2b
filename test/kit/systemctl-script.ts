/** A `systemctl` for tests without systemd: a script that answers `show` from a file and does to `start` what it is told. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ScriptedSystemctl {
  readonly executable: string;
  /** What `show` prints from now on. */
  says(facts: Readonly<Record<string, string | number>>): void;
}

/** `onStart`: shell commands; `$0` is the script, and `show` prints the file beside it. */
export const systemctlScript = (dir: string, onStart = 'exit 0'): ScriptedSystemctl => {
  const executable = join(dir, 'systemctl');
  const facts = join(dir, 'facts');
  writeFileSync(
    executable,
    `#!/bin/sh
echo "$*" >> '${join(dir, 'calls')}'
case "$*" in
  *show*) cat '${facts}' ;;
  *' start '*) ${onStart} ;;
esac
`,
  );
  chmodSync(executable, 0o755);
  return {
    executable,
    says: (next) =>
      writeFileSync(
        facts,
        Object.entries(next)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(''),
      ),
  };
};
