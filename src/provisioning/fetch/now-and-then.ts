/** Progress for people: told at most five times a second, the first time at once. */
const everyMs = 200;

export const nowAndThen = (tell: (done: number) => void): ((done: number) => void) => {
  let last = Number.NEGATIVE_INFINITY;
  return (done) => {
    const now = performance.now();
    if (now - last < everyMs) return;
    last = now;
    tell(done);
  };
};
