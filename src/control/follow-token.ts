/** Has the token looked at now and then, also while nobody asks, and tells what came of it. */
import type { TokenSource } from '../config/token.ts';

export interface FollowTokenOptions {
  readonly source: TokenSource;
  /** A file that is bad or gone. */
  readonly tell: (line: string) => void;
  /** Another token is in force. */
  readonly changed: (token: string) => void;
}

const lookEveryMs = 10_000;

/** Returns the way to stop. */
export const followToken = ({ source, tell, changed }: FollowTokenOptions): (() => void) => {
  source.listen({ mistake: (line) => tell(`${line}; the token that was good stays in force`), changed });
  const timer = setInterval(() => source.current(), lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
};
