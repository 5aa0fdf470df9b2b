/** How a main ends. No main awaits at its top: what is in the executable is CommonJS, which knows no such thing. */
export const exitWith = (code: Promise<number>): void =>
  void code.then((value) => {
    process.exitCode = value;
  });
