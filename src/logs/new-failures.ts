/** What is tried again many times a second fails as often: the same failure is told once a minute. */

const repeatAfterMs = 60_000;

export const newFailures = (tell: (error: unknown) => void = () => undefined): ((error: unknown) => void) => {
  let last = '';
  let toldAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (String(error) === last && performance.now() - toldAt < repeatAfterMs) return;
    last = String(error);
    toldAt = performance.now();
    tell(error);
  };
};
