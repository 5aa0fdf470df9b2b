/**
 * The listening socket that systemd opened for us (sd_listen_fds(3)), so that nobody is refused while the daemon is away. Says
 * which descriptor it is; whether its address is one we may serve on is for the listener's owner to check.
 */

export interface InheritedListener {
  readonly fd: number;
}

const firstFd = 3;

/**
 * Null: none was passed, or it was meant for another process. Takes the variables out of `env`, so that no child looks for it.
 * Throws where more than one was passed.
 */
export const inheritedListener = (env: Record<string, string | undefined> = process.env, pid: number = process.pid): InheritedListener | null => {
  const [meantFor, count] = [env['LISTEN_PID'], env['LISTEN_FDS']];
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name];
  if (count === undefined || Number(meantFor) !== pid || Number(count) === 0) return null;
  if (count !== '1') throw new Error(`expected one socket from systemd, found LISTEN_FDS=${count}; give pool-managerd.socket one ListenStream=`);
  return { fd: firstFd };
};
