/**
 * A pool as people declare it: keys, values, defaults, meanings. The one schema; the JSON Schema for editors, the reference
 * and the parsing come from it. The shape that machines get is PoolSpec, with every default filled in.
 */
import * as v from 'valibot';
import { adapterFor } from '../engines/index.ts';
import { isLoopbackHost } from '../loopback.ts';
import {
  argument,
  devices,
  digest,
  host,
  httpPath,
  matching,
  milliseconds,
  once,
  path,
  poolId,
  webUrl,
  whole,
  word,
  yesOrNo,
} from './pool-values.ts';

const described = <S extends v.GenericSchema>(schema: S, meaning: string) => v.pipe(schema, v.description(meaning));

const map = <E extends v.ObjectEntries>(entries: E) => v.strictObject(entries, 'a map');

const orNull = <S extends v.GenericSchema>(schema: S) => v.nullish(schema, null);

const provisioning = v.variant(
  'mode',
  [
    map({
      mode: described(v.literal('external'), 'The engine is on disk already.'),
      executable: described(orNull(path()), "Path or name of the engine's program; null: by its usual name on the PATH."),
    }),
    map({
      mode: described(v.literal('binary'), 'A release is fetched, unpacked and tested.'),
      binary: described(
        map({
          url: described(webUrl(), 'The release: tar (gzip, zstd or plain), zip, or the program itself.'),
          checksum: described(digest(), 'What it must hash to.'),
          install_dir: described(orNull(path()), "Where it goes; null: below the daemon's cache."),
          executable: described(orNull(path()), "The engine's program, from the top of the archive; null: by its usual name."),
        }),
        'What is fetched.',
      ),
    }),
    map({
      mode: described(v.literal('source'), 'The engine is built from source.'),
      source: described(
        map({
          repo: described(orNull(word('a git repository')), "URL or path of the git repository; null: the engine's own."),
          ref: described(matching(/^[A-Za-z0-9][\w./-]{0,254}$/, 'a tag, branch or commit'), 'Tag, branch or commit.'),
          submodules: described(v.optional(yesOrNo(), false), 'Fetch its submodules too.'),
          build: described(
            v.optional(
              map({
                cmake_flags: described(
                  v.optional(v.pipe(v.array(argument(), 'a list of CMake flags'), v.maxLength(256, 'at most 256 flags')), []),
                  'Flags for CMake.',
                ),
                generator: described(orNull(word('a CMake generator', 64)), "CMake's generator; null: its own choice."),
                cache_dir: described(orNull(path()), "Where builds are kept; null: below the daemon's cache."),
              }),
              {},
            ),
            'How it is built.',
          ),
        }),
        'What is built.',
      ),
    }),
    map({
      mode: described(v.literal('package'), 'A package of a pinned version is installed.'),
      package: described(
        map({
          name: described(orNull(matching(/^[A-Za-z0-9][\w.@/+-]{0,213}$/, 'a package name')), "Its name; null: the engine's own."),
          version: described(matching(/^[0-9A-Za-z][\w.+!-]{0,63}$/, 'one exact version'), 'Its exact version.'),
          lock: described(
            orNull(path()),
            'Lock file: requirements with the hashes of all that is installed, this package too; null: what the index has on that day.',
          ),
        }),
        'What is installed.',
      ),
    }),
    map({
      mode: described(v.literal('container'), 'The engine runs in a container of a pinned image.'),
      container: described(
        map({
          image: described(matching(/^[a-z0-9][\w./:-]{0,254}$/, 'an image name without digest'), 'Name of the image.'),
          digest: described(digest(), 'Digest of the image.'),
          executable: described(orNull(path()), "The engine's program in the image; null: its entrypoint, or by its usual name."),
        }),
        'What is run.',
      ),
    }),
  ],
  'external, binary, source, package or container',
);

const modelSource = map({
  ref: described(orNull(word('a model reference')), 'Where the model comes from; null: `model` says it.'),
  cache_dir: described(orNull(path()), "Where models are kept; null: below the daemon's cache."),
  checksum: described(orNull(digest()), 'What the model file must hash to. Over plain http it is required.'),
});

const customEngine = map({
  health_path: described(httpPath(), 'GET of the engine: 200 is healthy, 503 still loading.'),
  progress_path: described(orNull(httpPath()), "GET that goes through the engine's work loop; null: health is all there is."),
  in_flight: described(
    orNull(
      map({
        path: described(httpPath(), 'GET that answers Prometheus text.'),
        metrics: described(
          v.pipe(
            v.array(matching(/^[A-Za-z_:][\w:]{0,199}$/, 'a metric name'), 'a list of metric names'),
            v.minLength(1, 'at least one metric name'),
            v.maxLength(32, 'at most 32 metric names'),
          ),
          'Series that, summed, are the requests in the engine.',
        ),
      }),
    ),
    'How work in progress is read; null: it is unknown.',
  ),
  token: described(
    orNull(
      map({
        path: described(httpPath(), 'POST that generates one token.'),
        body: described(matching(/^[\s\S]{1,65536}$/, 'text, at most 65536'), 'Its body, JSON.'),
      }),
    ),
    'How one token is asked for; null: readiness stands without it.',
  ),
});

const timeouts = map({
  start_stall_ms: described(v.optional(milliseconds(100), 300_000), 'A start without any sign of progress for so long is ended.'),
  start_max_ms: described(orNull(milliseconds(100)), "Longest start; null: in proportion to the model's size."),
  drain_ms: described(v.optional(milliseconds(), 60_000), 'Time that requests have to finish in a drain.'),
  stop_ms: described(v.optional(milliseconds(0, 3_600_000), 15_000), 'Time between SIGTERM and SIGKILL.'),
  vram_release_ms: described(v.optional(milliseconds(0, 3_600_000), 10_000), 'Time in which the memory of an ended engine must be free again.'),
});

const health = map({
  interval_ms: described(v.optional(milliseconds(50, 600_000), 2_000), 'Time between probes.'),
  timeout_ms: described(v.optional(milliseconds(50, 600_000), 2_000), 'Longest answer to a health probe.'),
  progress_timeout_ms: described(
    v.optional(milliseconds(50, 600_000), 10_000),
    'Longest answer to a progress probe. Work that stands still for four times that is `wedged`.',
  ),
  failures: described(v.optional(whole(1, 100), 3), 'Failed probes in a row after which the pool leaves ready.'),
  canary: described(v.optional(yesOrNo(), false), 'Ask an idle engine for one token at every fifteenth probe, and at each once none came.'),
});

const restart = map({
  initial_ms: described(v.optional(milliseconds(10, 3_600_000), 1_000), 'Delay before the first restart; it doubles with each failure.'),
  max_ms: described(v.optional(milliseconds(10, 3_600_000), 60_000), 'Longest delay.'),
  window_ms: described(v.optional(milliseconds(1_000), 600_000), 'Time in which starts are counted.'),
  max_restarts: described(v.optional(whole(1, 1000), 8), 'Starts in that time after which restarting pauses (crash_loop).'),
  stable_ms: described(v.optional(milliseconds(100), 300_000), 'Time in ready after which earlier failures are forgotten.'),
});

const shape = map({
  id: described(poolId(), 'Name of the pool.'),
  engine: described(v.picklist(['llamacpp', 'vllm', 'sglang', 'tgi', 'custom'], 'llamacpp, vllm, sglang, tgi or custom'), 'What serves the model.'),
  model: described(
    orNull(word('a model reference')),
    'The model: a path, file:/…, or what is fetched: https://…, hf:org/repo[/file][@revision]. Required but for custom engines.',
  ),
  devices: described(devices(), 'GPUs of the pool by index or UUID, MIG slices by UUID. Never others than these.'),
  slots: described(v.optional(whole(1, 1024, 'requests'), 1), 'Requests the engine works on at once.'),
  ctx: described(orNull(whole(1, 16_777_216, 'tokens')), "Context of each slot; null: the engine's default."),
  host: described(v.optional(host(), '127.0.0.1'), 'Address the engine listens on. Any but loopback needs api_key_file.'),
  api_key_file: described(orNull(path()), 'File with the key that clients of the engine must show.'),
  quant: described(orNull(matching(/^[A-Za-z0-9][\w.-]{0,63}$/, 'the name of a quantisation')), 'Quantisation, where the reference leaves a choice.'),
  tensor_split: described(
    orNull(
      v.array(
        v.pipe(v.number('a share from 0 to 1'), v.minValue(0, 'a share from 0 to 1'), v.maxValue(1, 'a share from 0 to 1')),
        'a list of shares',
      ),
    ),
    'Share of the model on each device; null: even.',
  ),
  cpu_affinity: described(
    orNull(v.picklist(['gpu'], 'gpu')),
    'gpu: the engine runs on the CPUs that are nearest to its GPUs, where the kernel tells them; null: wherever the kernel puts it.',
  ),
  preload: described(v.optional(yesOrNo(), true), 'Start with the daemon; else on POST …/preload.'),
  env: described(
    v.optional(
      v.record(
        matching(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'the name of an environment variable'),
        matching(/^[^\0]{0,32768}$/, 'text (quote numbers), at most 32768'),
        'a map of names and values',
      ),
      {},
    ),
    "Environment of the engine, which gets nothing of the daemon's.",
  ),
  flags: described(
    v.optional(v.pipe(v.array(argument(), 'a list of flags'), v.maxLength(256, 'at most 256 flags')), []),
    'Further command line, each word an element. A custom engine may use {host} {port} {model} {slots} {ctx}.',
  ),
  ports: described(
    orNull(
      v.pipe(
        v.array(whole(1, 65_535), 'a list of ports'),
        v.minLength(1, 'at least one port'),
        v.maxLength(64, 'at most 64 ports'),
        once('each port once'),
      ),
    ),
    'Ports to choose from; null: one of POOL_MANAGERD_PORT_RANGE, and behind it what engines of several processes need.',
  ),
  provisioning: described(v.optional(provisioning, { mode: 'external' }), 'How the engine comes to be on disk.'),
  model_source: described(orNull(modelSource), 'Where the model comes from, if `model` does not say it all.'),
  custom: described(orNull(customEngine), 'What must be known of an engine that pool-managerd does not know; with engine custom only.'),
  timeouts: described(v.optional(timeouts, {}), 'Limits of time.'),
  health: described(v.optional(health, {}), 'How the engine is watched.'),
  restart: described(v.optional(restart, {}), 'How it is restarted after failures.'),
});

/** Between keys: each told at the key that is to be changed. */
export const poolSchema = v.pipe(
  shape,
  v.forward(
    v.partialCheck([['engine'], ['model']], ({ engine, model }) => model !== null || engine === 'custom', 'a model, since the engine needs one'),
    ['model'],
  ),
  v.forward(
    v.partialCheck(
      [['engine'], ['custom']],
      ({ engine, custom }) => engine !== 'custom' || custom !== null,
      'a map with at least health_path, since engine is custom',
    ),
    ['custom'],
  ),
  v.forward(
    v.partialCheck([['engine'], ['custom']], ({ engine, custom }) => engine === 'custom' || custom === null, 'nothing, since engine is not custom'),
    ['custom'],
  ),
  v.forward(
    v.partialCheck(
      [['engine'], ['provisioning']],
      ({ engine, provisioning: how }) => how.mode !== 'source' || how.source.repo !== null || adapterFor(engine).known?.repo !== undefined,
      'a git repository at source.repo, since the engine has none of its own',
    ),
    ['provisioning'],
  ),
  v.forward(
    v.partialCheck(
      [['engine'], ['provisioning']],
      ({ engine, provisioning: how }) => how.mode !== 'package' || how.package.name !== null || adapterFor(engine).known?.package !== undefined,
      'a package at package.name, since the engine has none of its own',
    ),
    ['provisioning'],
  ),
  v.forward(
    v.partialCheck(
      [['devices'], ['tensor_split']],
      ({ devices, tensor_split: split }) => split === null || split.length === devices.length,
      'one share for each device',
    ),
    ['tensor_split'],
  ),
  v.forward(
    v.partialCheck([['tensor_split']], ({ tensor_split: split }) => split === null || sumsToOne(split), 'shares that sum to 1'),
    ['tensor_split'],
  ),
  v.forward(
    v.partialCheck(
      [['host'], ['api_key_file']],
      ({ host, api_key_file: key }) => key !== null || isLoopbackHost(host),
      'a file with a key, since the engine listens on more than loopback',
    ),
    ['api_key_file'],
  ),
  v.forward(
    v.partialCheck(
      [
        ['restart', 'initial_ms'],
        ['restart', 'max_ms'],
      ],
      ({ restart }) => restart.max_ms >= restart.initial_ms,
      'at least restart.initial_ms',
    ),
    ['restart', 'max_ms'],
  ),
  v.title('Pool'),
);

export const mostPools = 1000;

export const poolsFileSchema = v.strictObject(
  {
    version: described(v.optional(v.literal(1, '1'), 1), 'Version of this format.'),
    pools: described(v.pipe(v.array(poolSchema, 'a list of pools'), v.maxLength(mostPools, `at most ${mostPools} pools`)), 'The pools of this node.'),
  },
  'a map with the key pools',
);

/** A share that is no share is told on its own. */
const sumsToOne = (shares: readonly number[]): boolean =>
  shares.some((share) => share < 0 || share > 1) || Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) <= 0.001;
