/** The flags of llama-server that the stub takes, as its `--help` words them. An unknown one is an error, as with the real one. */

export interface StubOptions {
  readonly model: string;
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  readonly ctx: number;
  readonly metrics: boolean;
}

export const helpText = `----- stub engine of pool-managerd, not llama.cpp -----
-h,    --help, --usage                  print usage and exit
--version                               show version and build info
-m,    --model FNAME                    any file; it is not read
--host HOST                             address to listen on
--port PORT                             port to listen on
-np,   --parallel N                     number of slots
-c,    --ctx-size N                     size of the context
-ngl,  --gpu-layers, --n-gpu-layers N   accepted and ignored, as all below
-dev,  --device <dev1,dev2,..>          devices
-sm,   --split-mode {none,layer,row}    split mode
-mg,   --main-gpu INDEX                 main GPU
-ts,   --tensor-split N0,N1,N2,...      shares
-fit,  --fit [on|off]                   fit
-kvo,  --kv-offload, -nkvo, --no-kv-offload
-cram, --cache-ram N                    cache
--cache-idle-slots, --no-cache-idle-slots
-ctxcp, --ctx-checkpoints, --swa-checkpoints N
-lzm,  --lazy-mode MODE                 lazy mode
--metrics                               enable metrics
-lv,   --verbosity, --log-verbosity N   verbosity
--api-key-file FNAME                    accepted and ignored
--temp, --temperature N                 temperature
-a,    --alias STRING                   alias
`;

const bare = new Set(['--metrics', '-kvo', '--kv-offload', '-nkvo', '--no-kv-offload', '--cache-idle-slots', '--no-cache-idle-slots']);
const valued = new Set(
  [...helpText.matchAll(/(?<=^|, +)--?[a-z][\w-]*/gm)]
    .map(([name]) => name)
    .filter((name) => !bare.has(name) && !/^(-h|--help|--usage|--version)$/.test(name)),
);

export const readArguments = (
  argv: readonly string[],
): { readonly options: StubOptions; readonly problem: null } | { readonly options: null; readonly problem: string } => {
  const values = new Map<string, string>();
  for (let at = 0; at < argv.length; at += 1) {
    const name = argv[at] ?? '';
    if (bare.has(name)) values.set(name, 'on');
    else if (valued.has(name) && argv[at + 1] !== undefined) values.set(name, argv[++at] ?? '');
    else return { options: null, problem: name };
  }
  const value = (...names: readonly string[]): string | undefined => names.map((name) => values.get(name)).find((found) => found !== undefined);
  return {
    options: {
      model: value('-m', '--model') ?? '',
      host: value('--host') ?? '127.0.0.1',
      port: Number(value('--port') ?? 8080),
      slots: Math.max(1, Number(value('-np', '--parallel') ?? 4)),
      ctx: Number(value('-c', '--ctx-size') ?? 4096),
      metrics: values.has('--metrics'),
    },
    problem: null,
  };
};
