/** How a main ends. No main awaits at its top: what is in the executable is CommonJS, which knows no such thing. */
export const exitWith = (code: Promise<number>): void =>
  void code.then((value) => {
    process.exitCode = value;
  });

/** All is done, and the process ends when nothing is open any more. What stays open is a bug, told, and no reason to stay. */
export const leaveAtLatest = (afterMs: number): void => {
  const leave = (): never => {
    const left = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout');
    process.stderr.write(
      `pool-managerd: expected nothing to be open ${afterMs} ms after the end, found ${left.join(', ') || 'a timer'}; ending all the same: a bug of pool-managerd\n`,
    );
    process.exit();
  };
  setTimeout(leave, afterMs).unref();
};
