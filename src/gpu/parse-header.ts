/** The CUDA version the driver speaks, from the table that plain `nvidia-smi` prints, from `-q` or from `--version`. Pure. */
import { known } from './parse-values.ts';

/** `CUDA Version: 13.1`; newer tables say `CUDA UMD Version`. */
export const parseCudaVersion = (output: string): string | null => known(/CUDA(?: [A-Z]+)? Version\s*:\s*(\d+(?:\.\d+)*|N\/A)/.exec(output)?.[1]);
