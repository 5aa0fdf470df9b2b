/** Stand-ins for podman and docker in a folder for the PATH, with the images that a test says are in their registry. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sha256Of } from './file-server.ts';

export interface StandInImage {
  /** `name@sha256:…`, as it is asked for. */
  readonly reference: string;
  readonly digest: string;
  readonly entrypoint: readonly string[] | null;
}

export interface StandInContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly pid: number;
  readonly isRunning: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, readonly string[] | true>>;
}

export interface StandInRuntime {
  /** Put first on a PATH. */
  readonly bin: string;
  put(name: string, entrypoint: readonly string[] | null, facts?: { readonly told?: string }): StandInImage;
  /** How things go from now on: `podman-down`, `pull-fails`, `start-fails`, `kill-does-nothing`, `cdi`; with its words. */
  say(what: string, words: string): void;
  containers(): readonly StandInContainer[];
  /** Each `[runtime, command, …]`. */
  calls(): readonly (readonly string[])[];
}

const program = resolve(import.meta.dirname, '../fixtures/containers/runtime.mjs');

export const standInRuntimes = (dir: string, names: readonly ('podman' | 'docker')[] = ['podman', 'docker']): StandInRuntime => {
  const [bin, state] = [join(dir, 'runtimes'), join(dir, 'runtime-state')];
  for (const folder of [bin, state, join(state, 'containers')]) mkdirSync(folder, { recursive: true });
  const images = join(state, 'images.json');
  writeFileSync(images, '[]');
  for (const name of names) {
    const path = join(bin, name);
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${state}' ${name} "$@"\n`);
    chmodSync(path, 0o755);
  }
  return {
    bin,
    put: (name, entrypoint, facts = {}) => {
      const digest = `sha256:${sha256Of(Buffer.from(name))}`;
      const image = { reference: `${name}@${digest}`, digest, entrypoint };
      writeFileSync(images, JSON.stringify([...JSON.parse(readFileSync(images, 'utf8')), { ...image, ...facts, isPresent: false }]));
      return image;
    },
    say: (what, words) => writeFileSync(join(state, what), words),
    containers: () =>
      readdirSync(join(state, 'containers'))
        .filter((name) => name.endsWith('.json'))
        .map((name) => JSON.parse(readFileSync(join(state, 'containers', name), 'utf8'))),
    calls: () =>
      existsSync(join(state, 'calls'))
        ? readFileSync(join(state, 'calls'), 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        : [],
  };
};
