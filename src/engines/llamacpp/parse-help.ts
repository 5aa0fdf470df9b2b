/** What llama-server says of itself: the flags that its `--help` names, and its version. Pure. */

/**
 * Every spelling of every flag. A help line begins with them, comma after each but the last:
 * `-ngl,  --gpu-layers, --n-gpu-layers N   max. number …`
 */
export const parseFlags = (help: string): readonly string[] => {
  const flags = new Set<string>();
  for (const line of help.split('\n')) {
    if (!line.startsWith('-')) continue;
    for (const word of line.trimEnd().split(/\s+/)) {
      const name = word.replace(/,$/, '');
      if (!/^--?[A-Za-z][\w.-]*$/.test(name)) break;
      flags.add(name);
      if (!word.endsWith(',')) break;
    }
  }
  return [...flags];
};

/** `version: 0.7.0 (build 11669, commit Debian)` → `0.7.0`; older ones say `version: 4719 (d774ab3a)`. */
export const parseVersion = (output: string): string | null => /^version:\s*(\S+)/m.exec(output)?.[1] ?? null;
