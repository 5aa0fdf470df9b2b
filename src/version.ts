/** The version of this build, from package.json; in built forms also the commit and its date, which the build puts in. */
import manifest from '../package.json' with { type: 'json' };

interface Build {
  readonly commit: string;
  readonly date: string;
}

declare global {
  /** Replaced by the build (tools/build/bundle.ts); not there where the sources run. */
  var poolManagerdBuild: Build | undefined;
}

export const { version } = manifest;

const build: Build | undefined = globalThis.poolManagerdBuild;

/** For people: `0.1.0 (commit 0123456789ab, 2026-01-01)`. */
export const versionText: string = build === undefined ? version : `${version} (commit ${build.commit}, ${build.date})`;
