/** What `--help` says beyond names and options: examples of every command, and how commands end. Each example is held to be taken. */

/** A command line and what it is for. */
type Example = readonly [line: string, what: string];

const general: readonly Example[] = [
  ['pool-managerd config example > pools.yaml', 'write a pools file to begin with'],
  ['pool-managerd config check pools.yaml', 'is it valid?'],
  ['pool-managerd serve', 'run the daemon (configured by environment and pools file)'],
  ['pool-managerd demo', 'see it at work, without a GPU'],
  ['pool-managerd status --watch', 'node and pools, once a second'],
  ['pool-managerd start pool-0 --wait', 'ends when the pool is ready'],
  ['pool-managerd drain pool-0 --deadline 30s', 'stop it when its work is done, after 30 s at the latest'],
  ['pool-managerd logs pool-0 -f', 'what its engine writes'],
  ['pool-managerd events -f --json', 'every transition, one JSON per line'],
  ['pool-managerd doctor', 'this machine and its pools file, before the daemon is started'],
  ['pool-managerd pull', 'fetch what the pools file names, before anything is started'],
  ['pool-managerd prune', 'what no pool uses; --yes removes it'],
  ['pool-managerd inspect pool-0', 'its chart at work: events, guards, actions'],
  ['pool-managerd estimate model.gguf --ctx 8192', 'how much VRAM it would need, in parts'],
  ['pool-managerd explain events.jsonl 4711', 'why a pool did what it did then: guards, transitions, actions'],
];

/** By the name of the command. */
const own: Readonly<Record<string, readonly Example[]>> = {
  serve: [
    ['pool-managerd serve', 'with pools.yaml of this folder, if there is one'],
    ['POOL_MANAGERD_CONFIG=/etc/pools.yaml pool-managerd serve', 'with another pools file'],
    ['POOL_MANAGERD_GPU_SOURCE=simulated:2x24GiB pool-managerd serve', 'to try things: cards that are made up'],
  ],
  replay: [['pool-managerd replay .runtime/state/journal/events.jsonl', 'what happened on this node, and whether the charts agree']],
  explain: [['pool-managerd explain events.jsonl 4711', 'the event that replay shows with the number 4711']],
  estimate: [
    ['pool-managerd estimate model.gguf --slots 4 --ctx 8192', 'for four requests of 8,192 tokens at once'],
    ['pool-managerd estimate model.gguf -c 8192 -t q8_0', 'with a smaller KV cache'],
    ['pool-managerd estimate models/qwen --engine vllm --devices 2', 'a folder of safetensors, over two cards'],
  ],
  doctor: [
    ['pool-managerd doctor', 'everything, in words'],
    ['pool-managerd doctor --pools /etc/pool-managerd/pools.yaml', 'with another pools file'],
    ['pool-managerd doctor --json', 'for a script; exit code 1 where something fails'],
  ],
  pull: [
    ['pool-managerd pull', 'everything that the pools file names'],
    ['pool-managerd pull --pools pools.yaml --pool chat', 'only what one pool needs'],
    ['pool-managerd pull hf:org/model-GGUF --quant Q4_K_M', 'a model of a Hugging Face hub'],
  ],
  provision: [
    ['pool-managerd provision --export pools.tar', 'here, where there is a network'],
    ['pool-managerd provision --import pools.tar', 'there, where there is none'],
  ],
  models: [['pool-managerd models', 'where each came from, and who uses it']],
  engines: [['pool-managerd engines', 'where each came from, and who uses it']],
  prune: [
    ['pool-managerd prune', 'only shows what would go'],
    ['pool-managerd prune --yes', 'removes it'],
  ],
  completion: [
    ['source <(pool-managerd completion bash)', 'in ~/.bashrc'],
    ['source <(pool-managerd completion zsh)', 'in ~/.zshrc, after compinit'],
    ['pool-managerd completion fish | source', 'in ~/.config/fish/config.fish'],
  ],
  'config check': [
    ['pool-managerd config check', 'the file that serve reads: POOL_MANAGERD_CONFIG, or pools.yaml of this folder'],
    ['pool-managerd config check pools.yaml', 'this one; one line per mistake, exit code 78'],
  ],
  'config schema': [['pool-managerd config schema > pools.schema.json', 'for an editor']],
  'config example': [['pool-managerd config example > pools.yaml', 'then change it']],
  status: [
    ['pool-managerd status', 'the node and its pools'],
    ['pool-managerd status chat --watch', 'one pool, once a second'],
    ['pool-managerd status --json --url http://gpu-1:9200 --token-file token --allow-plain-http', 'of another machine, for a program'],
  ],
  pools: [
    ['pool-managerd pools', 'one line per pool'],
    ['pool-managerd pools --json', 'all that the API says of them'],
  ],
  pool: [['pool-managerd pool chat', 'state, reason, endpoint, memory, last error']],
  gpus: [['pool-managerd gpus', 'health, memory, and what is promised to pools']],
  start: [
    ['pool-managerd start chat', 'wants it up, and returns at once'],
    ['pool-managerd start chat --wait --timeout 5m', 'ends when it is ready, or says why not'],
  ],
  drain: [
    ['pool-managerd drain chat --wait', 'its work is finished first'],
    ['pool-managerd drain chat --deadline 30s', 'what is not finished then is cut off'],
  ],
  resume: [['pool-managerd resume chat', 'while it still finishes its work']],
  reload: [
    ['pool-managerd reload chat --model models/other.gguf', 'another model'],
    ['pool-managerd reload chat --slots 8 --ctx 4096', 'more requests at once, of a shorter context'],
    ['pool-managerd reload chat --as-filed', 'back to what the pools file says'],
  ],
  declare: [
    ['pool-managerd declare chat.json', 'one pool: {"id":"chat","engine":"llamacpp",…}'],
    ['pool-managerd declare - < chat.json', 'from standard input'],
  ],
  register: [['pool-managerd register', 'at once, instead of at the next try']],
  heartbeat: [['pool-managerd heartbeat', 'at once, instead of when it is due']],
  remove: [['pool-managerd remove chat', 'drained first, then forgotten']],
  inspect: [
    ['pool-managerd inspect', 'everything that the charts of this node do'],
    ['pool-managerd inspect chat --json', 'of one pool, for a program'],
    ['pool-managerd inspect --stately', "in Stately's viewer, which needs a network"],
  ],
  logs: [
    ['pool-managerd logs chat -f', 'this run, and what comes'],
    ['pool-managerd logs chat --previous --tail 50', 'after a crash: the last of the run before'],
  ],
  events: [
    ['pool-managerd events', 'the latest of all pools'],
    ['pool-managerd events chat --limit 20', 'the latest 20 of one'],
    ['pool-managerd events chat --all', 'with each step of its starts'],
    ['pool-managerd events -f --json', 'every transition, one JSON per line'],
  ],
};

/** Empty where a command has none. */
export const examplesOf = (command: string): string => {
  const examples = own[command] ?? [];
  return examples.length === 0 ? '' : `\nExamples:\n${inColumns(examples)}`;
};

const inColumns = (examples: readonly Example[]): string => {
  const width = Math.max(...examples.map(([line]) => line.length));
  return examples.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`).join('\n');
};

export const generalHelp = `
Examples:
${inColumns(general)}

Each command has examples of its own: pool-managerd drain --help
In a browser: the address of the daemon, http://127.0.0.1:9200/.
Completion for bash, zsh and fish: pool-managerd completion --help

Exit codes:
  0   done
  1   the daemon refused, or what was waited for did not happen (serve: it cannot listen, or not use its directories)
  64  the command line is wrong
  69  no daemon answers at the address (serve: no NVIDIA GPU)
  70  a bug in pool-managerd
  78  the configuration is wrong, one line per mistake
serve ends also with 75 when another daemon holds the state directory.`;
