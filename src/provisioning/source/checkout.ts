/** Brings one commit of a git repository into a folder. Nothing of the repository runs for it, and nobody is asked for a password. */
import { CauseError } from '../../cause.ts';
import type { ToolEnd } from '../tool/run-tool.ts';

export interface Checkout {
  readonly git: string;
  readonly repo: string;
  readonly ref: string;
  readonly submodules: boolean;
  readonly into: string;
}

export type Run = (file: string, argv: readonly string[]) => Promise<ToolEnd>;

/** No hooks, no transport that is a program, no settings of whoever the daemon runs as. */
const careful = ['-c', 'protocol.ext.allow=never', '-c', 'core.hooksPath=/dev/null', '-c', 'advice.detachedHead=false'];

export const gitEnvironment: Readonly<Record<string, string>> = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ALLOW_PROTOCOL: 'file:git:https:ssh',
};

/** Resolves with the commit. Rejects with CauseError. */
export const checkOut = async ({ git, repo, ref, submodules, into }: Checkout, run: Run): Promise<string> => {
  const call = async (...argv: readonly string[]): Promise<string> => {
    const ended = await run(git, [...careful, '-C', into, ...argv]);
    if (ended.ok) return ended.stdout.trim();
    throw judged(repo, ref, ended.found);
  };
  await call('init', '--quiet');
  await call('fetch', '--depth', '1', '--no-tags', '--', repo, ref);
  await call('checkout', '--quiet', '--detach', 'FETCH_HEAD');
  if (submodules) await call('submodule', 'update', '--init', '--recursive', '--depth', '1');
  return call('rev-parse', 'HEAD');
};

const judged = (repo: string, ref: string, found: string): CauseError => {
  const message = `expected ${ref} of ${repo.replace(/\/\/[^/@]*@/, '//')}, found ${found}`;
  if (/could not read Username|Authentication failed|Permission denied/i.test(found))
    return new CauseError({ code: 'download_unauthorized', message });
  if (/Could not resolve host|Connection (?:refused|timed out)|unable to access|early EOF/i.test(found))
    return new CauseError({ code: 'download_unreachable', message });
  return new CauseError({ code: 'build_failed', message: `${message}; correct \`provisioning.source\`` });
};
