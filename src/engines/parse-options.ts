/** The flags that a `--help` of argparse or clap names. Pure. */

/**
 * Every spelling: `  --tensor-parallel-size N, -tp N   Number of …`, `  -p, --port <PORT>`. Deeper lines are prose, which may
 * speak of flags; usage lines begin with a bracket.
 */
export const parseOptions = (help: string): readonly string[] => {
  const flags = new Set<string>();
  for (const line of help.split('\n')) {
    const option = optionLine.exec(line)?.[1];
    if (option === undefined) continue;
    // What follows two spaces explains.
    const [spellings = ''] = option.split(/\s{2,}/);
    for (const [, name] of spellings.matchAll(spelling)) if (name !== undefined) flags.add(name);
  }
  return [...flags];
};

const optionLine = /^ {2,8}(-.*)$/;
const spelling = /(?:^|, )(--?[A-Za-z][\w.-]*)/g;
