/** A commented pools file to start from. Its first line leads editors to the JSON Schema, wherever that is for whoever reads it. */

/** `schema`: path or URL of the JSON Schema; null: none was installed, and the text says how to make one beside it. */
export const exampleFor = (schema: string | null): string => `${schema === null ? besideIt : lineFor(schema)}
#
${pools}`;

const lineFor = (schema: string): string => `# yaml-language-server: $schema=${schema}`;

const besideIt = `${lineFor('pools.schema.json')}
# For an editor that reads the line above, write that file beside this one: pool-managerd config schema > pools.schema.json`;

const pools = `# The pools of one GPU machine. POOL_MANAGERD_CONFIG names this file; without it, pools.yaml in the working directory is read.
# Check it with: pool-managerd config check FILE. Every key is described in the schema, and in docs/configuration.md.
version: 1

pools:
  # llama-server on the first GPU: four requests at once, 8192 tokens of context each.
  - id: chat
    engine: llamacpp
    model: /var/lib/models/chat-7b-q4_k_m.gguf
    devices: [0]
    slots: 4
    ctx: 8192
    provisioning:
      mode: external
      executable: /usr/local/bin/llama-server

  # One model over two GPUs. The shares are explicit and sum to 1; nothing spills to a third card.
  - id: large
    engine: llamacpp
    model: /var/lib/models/large-70b-q4_k_m.gguf
    devices: [1, 2]
    tensor_split: [0.5, 0.5]
    slots: 2
    ctx: 4096
    timeouts:
      start_stall_ms: 600000
      drain_ms: 120000

  # An engine that pool-managerd does not know, started on request only (preload: false).
  - id: embed
    engine: custom
    model: /var/lib/models/embed.safetensors
    devices: [3]
    slots: 16
    preload: false
    provisioning:
      mode: external
      executable: /opt/embedder/bin/embedder
    flags: ['--model', '{model}', '--listen', '{host}:{port}']
    env:
      OMP_NUM_THREADS: '4'
    custom:
      health_path: /healthz
      in_flight:
        path: /metrics
        metrics: [embedder_requests_running, embedder_requests_waiting]
`;

/** `examples/pools.yaml`, in a clone and in the package for npm, where the schema lies at the same place. */
export const examplePools = exampleFor('../docs/schemas/pools.schema.json');
