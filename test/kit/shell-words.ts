/** The words of one call of pool-managerd in a line of shell, as it is taught: what is before it and after it in the line left out. */
export const wordsOf = (line: string): readonly string[] => {
  const [, call = ''] = /pool-managerd (.*)/.exec(line) ?? [];
  return call
    .replace(/\)$/, '')
    .replace(/ (?:[<>|]|&&) ?.*$/, '')
    .trim()
    .split(/\s+/);
};
