/**
 * The container runtime of this machine: podman, else docker, whichever answers. It is called by its client, each call with a
 * deadline; what an answer means is the caller's business.
 */
import { CauseError } from '../../cause.ts';
import { onPath } from '../tool/environment.ts';
import { runTool, type ToolEnd } from '../tool/run-tool.ts';

export type RuntimeName = 'podman' | 'docker';

export interface ContainerRuntime {
  readonly name: RuntimeName;
  /** Rejects with the reason of the signal only; a client that is not there has not ended well. */
  call(argv: readonly string[], signal?: AbortSignal, silenceMs?: number): Promise<ToolEnd>;
}

export interface Answering extends ContainerRuntime {
  /** Who a process inside has to be, `uid:gid`, to be the daemon's own user outside: so that its files and sockets can be looked at. */
  readonly user: string;
}

export interface Containers {
  /** The one that answers, found once. Throws CauseError `engine_missing` that says what each of them said. */
  find(signal?: AbortSignal): Promise<Answering>;
  /** One that a record names, whether it answers or not. */
  named(name: RuntimeName): ContainerRuntime;
}

export interface ContainersDeps {
  /** Of the daemon: where clients are looked for, and how they find their runtime and their registries. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly deadlineMs?: number;
}

/** A runtime that has to wait for a disk takes its time. */
const usualDeadlineMs = 30_000;

const passedOn =
  /^(?:PATH|HOME|LANG|TMPDIR|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|DOCKER_\w+|CONTAINERS_\w+|REGISTRY_AUTH_FILE|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy|SSL_CERT_FILE)$/;

/** Answered only where the runtime itself is there, and with what tells who is root inside. */
const questions = {
  podman: ['info', '--format', '{{.Host.Security.Rootless}}'],
  docker: ['info', '--format', '{{json .SecurityOptions}}'],
} as const satisfies Record<RuntimeName, readonly string[]>;

export const openContainers = ({ env, deadlineMs = usualDeadlineMs }: ContainersDeps): Containers => {
  const given = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value !== undefined && passedOn.test(name) ? [[name, value]] : [])),
  );
  const path = given['PATH'] ?? '';
  let found: Answering | null = null;

  const named = (name: RuntimeName): ContainerRuntime => ({
    name,
    call: async (argv, signal = new AbortController().signal, silenceMs = deadlineMs) => {
      const file = await onPath(name, path);
      if (file === null) return { ok: false, stdout: '', said: '', found: `no ${name} on the PATH (${path})` };
      return runTool({ file, argv, env: given, silenceMs }, signal);
    },
  });

  const ask = async (name: RuntimeName, signal?: AbortSignal): Promise<Answering | string> => {
    const runtime = named(name);
    const answer = await runtime.call(questions[name], signal);
    return answer.ok ? { ...runtime, user: userOf(name, answer.stdout) } : `${name}: ${answer.found}`;
  };

  return {
    named,
    find: async (signal) => {
      if (found !== null) return found;
      const problems: string[] = [];
      for (const name of ['podman', 'docker'] as const) {
        const answer = await ask(name, signal);
        if (typeof answer !== 'string') {
          found = answer;
          return answer;
        }
        problems.push(answer);
      }
      throw new CauseError({
        code: 'engine_missing',
        message: `expected podman or docker to run the engine's container, found that neither answers: ${problems.join('; ')}; install podman for the user of the daemon, or use another provisioning.mode`,
      });
    },
  };
};

/** Root inside a rootless runtime is its user outside; inside docker's own it would be root. */
const userOf = (name: RuntimeName, said: string): string =>
  name === 'podman' || /rootless/.test(said) ? '0:0' : `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
