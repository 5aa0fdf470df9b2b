/** Has a renewed certificate taken: looks at the files now and then, or when told to, and hands on what they hold when it is good. */
import type { TlsSource } from '../config/tls.ts';
import type { ServerTls } from '../http/ports.ts';

export interface FollowTlsOptions {
  readonly source: TlsSource;
  readonly renew: (tls: ServerTls) => void;
  /** Mistakes, and what is worth a word. */
  readonly tell: (line: string) => void;
  readonly done: (line: string) => void;
}

export interface FollowingTls {
  /** One line per mistake. */
  reload(): readonly string[];
  stop(): void;
}

/** A certificate is renewed weeks before it ends. */
export const lookEveryMs = 10_000;

export const followTls = ({ source, renew, tell, done }: FollowTlsOptions): FollowingTls => {
  const take = (mistakes: readonly string[]): readonly string[] => {
    if (mistakes.length > 0) return mistakes;
    for (const warning of source.warnings()) tell(warning);
    const tls = source.server();
    if (tls === null) return [];
    renew(tls);
    done('the certificate was read again; new connections get it');
    return [];
  };
  const timer = setInterval(() => {
    const looked = source.look();
    if (looked !== null) for (const mistake of take(looked)) tell(`${mistake}; the certificates that were good stay in force`);
  }, lookEveryMs);
  timer.unref();
  return {
    reload: () => take(source.reload()),
    stop: () => clearInterval(timer),
  };
};
