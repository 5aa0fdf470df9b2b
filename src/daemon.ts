/**
 * The composition root: makes everything from the configuration and wires it together. The one file that knows everything.
 *
 * config → effects → charts → observers → HTTP. Knows no signals and no exit codes: `serve.ts` does.
 */
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { createActor } from 'xstate';
import { provideEffects } from './actors/implementations.ts';
import { openLaunching } from './actors/launch/launching.ts';
import { ownUnitRisk } from './actors/launch/own-unit.ts';
import { portLeases } from './actors/launch/ports.ts';
import { openLearnedNeeds } from './actors/learned-needs.ts';
import type { Owners } from './actors/name-owners.ts';
import { readApiKey } from './actors/probe/read-api-key.ts';
import type { Config } from './config/config.ts';
import { advertisedAddress } from './config/environment.ts';
import { mostPools } from './config/pool-schema.ts';
import { changeSpec, parsePoolSpec } from './config/pool-spec.ts';
import { hashEntry, hashSpec } from './config/spec-hash.ts';
import { followConfig } from './control/follow-config.ts';
import { followTls } from './control/follow-tls.ts';
import { followToken } from './control/follow-token.ts';
import { createKeptRestarts } from './control/kept-restarts.ts';
import { createLiveViews, type LiveViews } from './control/live-views.ts';
import { createNodePort } from './control/node-port.ts';
import { createSince } from './control/since.ts';
import { statusLine } from './control/status-line.ts';
import { type StopReport, stopNode } from './control/stop-node.ts';
import { architecturesOf } from './gpu/architectures.ts';
import { chooseSource } from './gpu/choose-source.ts';
import { refuseWithoutGpu } from './gpu/no-gpu.ts';
import { findNvidiaDisplays } from './gpu/pci.ts';
import { placesIn } from './gpu/place.ts';
import { uvmCheck } from './gpu/uvm.ts';
import { createApp, createMetricsApp } from './http/app.ts';
import { fingerprintOf } from './http/gate/fingerprint.ts';
import { type Listeners, listenAll, urlOf } from './http/listen.ts';
import { createLogCapper } from './logs/capper.ts';
import { createEngineLog } from './logs/engine-log.ts';
import { createLogsPort } from './logs/read-logs.ts';
import { isLoopbackHost } from './loopback.ts';
import { publicIdOf } from './machines/policies/berths.ts';
import type { RunRecord } from './machines/vocabulary.ts';
import { forPart, type Logger } from './observe/logger.ts';
import { openObservers } from './observe/observers.ts';
import { sanitise } from './observe/sanitise.ts';
import { createRemovedPools } from './orchestrator/removed-pools.ts';
import { sweepLeftovers } from './os/atomic-file.ts';
import { bootId as readBootId } from './os/boot-id.ts';
import { distribution, hostFacts } from './os/host-facts.ts';
import { watchLoopLag } from './os/loop-lag.ts';
import { makeDir } from './os/make-dir.ts';
import { createTlsFetch } from './os/tls-fetch.ts';
import { openContainers } from './provisioning/container/runtime.ts';
import { hubSettings } from './provisioning/hub/settings.ts';
import { openProvisioning } from './provisioning/provisioning.ts';
import { storePaths } from './provisioning/store/paths.ts';
import { openStateStore } from './state/files.ts';
import type { StateStore } from './state/store.ts';

export interface DaemonInput {
  readonly config: Config;
  readonly logger: Logger;
  /** A socket that systemd opened; null: the daemon opens its own. */
  readonly listener: { readonly fd: number } | null;
  readonly version: string;
}

export interface Daemon {
  readonly url: string;
  readonly metricsUrl: string | null;
  /** The state directory has been read: what runs is known. */
  readonly booted: Promise<void>;
  /** The charts are alive; whoever feeds a watchdog asks. */
  isHealthy(): boolean;
  /** One line for people. */
  statusLine(): string;
  /** Reads the pools file and the token now; one line per mistake. */
  reload(): readonly string[];
  /** Ends in order. Twice is once. */
  stop(mode: 'keep' | 'drain'): Promise<StopReport>;
  /** Stops waiting for what `stop` waits for. */
  hurry(): void;
}

export type Started =
  | { readonly ok: true; readonly daemon: Daemon }
  | { readonly ok: false; readonly problem: 'no_gpu' | 'configuration' | 'cannot_listen'; readonly message: string };

const gpuReadDeadlineMs = 3_000;
/** Whoever is answered that late had better ask another node. */
const standstill = { limitMs: 1_000, toldForMs: 5_000 };

export const startDaemon = async ({ config, logger, listener, version }: DaemonInput): Promise<Started> => {
  const { environment } = config;
  const { stateDir, runtimeDir } = environment;
  const log = forPart(logger, 'daemon');
  const bootId = readBootId();
  const traces =
    environment.otlpEndpoint === null
      ? null
      : (await import('./observe/traces/open.ts')).openTraces({
          endpoint: environment.otlpEndpoint,
          nodeId: environment.nodeId,
          version,
          onTrouble: (message) => forPart(logger, 'traces').warn(message),
        });
  const overTls = createTlsFetch(() => config.tls.client());
  const files = await openStateStore(stateDir);
  const keptRestarts = createKeptRestarts(files.memories);
  const learned = await openLearnedNeeds({
    shelf: files.learned,
    hashOf: hashSpec,
    onTrouble: ({ code, message }) => log.warn({ reason: code }, message),
  });
  const store: StateStore = { ...files, memories: keptRestarts.memories };
  makeDir(runtimeDir, 0o770);
  await sweepLeftovers(runtimeDir);

  // --- what the charts ask for
  const containers = openContainers({ env: process.env });
  const launching = openLaunching({ setting: environment.launcher, store, containers, bootId });
  const { launcher, trees, listenerOwner, sweepContainers } = launching;
  const liveRuns = (): readonly RunRecord[] => views.runs();
  const isAlive = async (run: RunRecord): Promise<boolean> => (await trees.membersOf(run)).length > 0;
  const chosen = chooseSource(environment.gpuSource, { runs: async () => liveRuns(), isAlive, onNote: (note) => forPart(logger, 'gpu').info(note) });
  if (!chosen.ok) return { ok: false, problem: 'configuration', message: chosen.mistake };
  const { source } = chosen;
  const owners: Owners = async () => {
    const members = await Promise.all(liveRuns().map(async (run) => (await trees.membersOf(run)).map(({ pid }) => [pid, run.poolId] as const)));
    return new Map(members.flat());
  };
  if (source.name !== 'simulated') {
    const recorded = await store.runs.list();
    const identities = await Promise.all(recorded.values.map((run) => launcher.identify(run)));
    const refusal = refuseWithoutGpu(await findNvidiaDisplays(environment.pciDevices), identities.filter((identity) => identity === 'ours').length);
    if (refusal !== null) return { ok: false, problem: 'no_gpu', message: refusal };
  }

  const baseDir = dirname(environment.poolsFile.file);
  const simulated = source.name === 'simulated';
  const provisioning = openProvisioning({
    paths: storePaths(environment.cacheDir),
    baseDir,
    simulated,
    hub: hubSettings(process.env, homedir()),
    env: process.env,
    containers: launcher.name === 'detached' ? containers : null,
    architectures: async () => (simulated ? [] : architecturesOf(await source.read(gpuReadDeadlineMs))),
  });

  // --- the control plane: its address is known once the API listens
  const { orchestrator } = environment;
  const own = { port: environment.bind.port };
  const ownPorts = (): readonly number[] => [own.port, ...(environment.metrics === null ? [] : [environment.metrics.port])];
  const advertised = (): string => advertisedAddress(environment, own.port);
  const advertiseHost = new URL(advertised()).hostname;
  const removedPools = createRemovedPools();
  const createLog = createEngineLog({ stateDir });
  const machine = provideEffects({
    store,
    launcher,
    trees,
    ports: portLeases({ range: environment.portRange }),
    source,
    uvm: uvmCheck({ devices: environment.devices, madeByUnits: launching.chosen === 'systemd' }),
    listenerOwner,
    sweepContainers,
    owners,
    learned,
    vramUsedBytes: (run) => views.vramUsedBytes(run.poolId),
    largestGpuBytes: (gpus) => views.largestGpuBytes(gpus),
    placeOf: simulated ? () => null : placesIn(environment.pciDevices),
    cpusOf: (gpus) => views.cpusOf(gpus),
    readApiKey,
    createLog: async (poolId, incarnation) => {
      const log = await createLog(poolId, incarnation);
      capper.runBegan();
      return log;
    },
    configured: () => config.pools.map((spec) => ({ spec, specHash: hashSpec(spec) })),
    hashOf: hashSpec,
    hashEntry,
    onTrouble: (poolId, cause) => log.error({ pool_id: publicIdOf(poolId), reason: cause.code }, cause.message),
    bootId,
    advertiseHost,
    baseDir,
    ...provisioning,
    handoffs: {
      runtimeDir,
      autoDelete: environment.autoDeleteHandoff,
      intervalMs: environment.watchIntervalMs,
      rules: {
        allowedHosts: [...environment.allowedHosts, advertiseHost],
        get refusedPorts() {
          return ownPorts();
        },
      },
    },
    kernelLog: simulated ? null : environment.kernelLog,
    gpus: { intervalMs: environment.gpuDiscoveryIntervalMs, readDeadlineMs: gpuReadDeadlineMs },
    registration: orchestrator && {
      orchestrator: {
        url: orchestrator.url,
        token: () => config.token.current(),
        fetch: traces === null ? overTls : traces.traced(overTls),
        allowInsecure: orchestrator.allowPlainHttp,
      },
      identity: {
        nodeId: environment.nodeId,
        machineId: environment.machineId,
        version,
        get address() {
          return advertised();
        },
      },
      views: { node: () => views.node(), pools: () => views.pools(), gpus: () => views.gpus() },
      removedPools,
    },
  });

  // --- observers
  const since = createSince();
  const observers = openObservers({
    stateDir,
    nodeId: environment.nodeId,
    version,
    bootId,
    views: { node: () => views.node(), pools: () => views.pools(), gpus: () => views.gpus() },
    logger,
    inspectUrl: environment.inspectUrl,
    others: [since, ...(traces === null ? [] : [traces.observer])],
  });
  const { journal, metrics, lookOn } = observers;

  // --- the charts
  const host = hostFacts();
  const node = createActor(machine, {
    id: 'node',
    inspect: observers.inspect,
    input: {
      nodeId: environment.nodeId,
      registration: {
        enabled: orchestrator !== null,
        orchestratorUrl: orchestrator?.url ?? null,
        registerOnStartup: orchestrator?.registerOnStartup ?? false,
        heartbeatIntervalMs: orchestrator?.heartbeatMs ?? 10_000,
        nodeId: environment.nodeId,
      },
    },
  });
  const views: LiveViews = createLiveViews({
    node,
    since,
    around: { machineId: environment.machineId, version, simulated, host: () => facts, journalTrouble: () => journal.trouble() },
    keptRestarts,
    staleMs: 3 * environment.gpuDiscoveryIntervalMs,
  });
  let facts = host;
  void distribution().then(
    (os) => {
      facts = { ...host, os: os ?? host.os };
    },
    (thrown: unknown) => log.warn({ err: thrown }, "the distribution's name could not be read"),
  );

  // --- HTTP
  const onFailure = (error: unknown): void => log.error({ err: error }, "an engine's log could not be read or cut");
  const auth = { token: () => config.token.current(), bind: environment.bind, allowedHosts: environment.allowedHosts };
  const http = forPart(logger, 'http');
  const lag = watchLoopLag(standstill);
  const app = createApp({
    node: createNodePort({
      node,
      views,
      store,
      version,
      poolsFile: environment.poolsFile.file,
      mostPools,
      changeSpec,
      hashOf: hashSpec,
      learnedNeed: learned.needOf,
      withoutSecrets: (spec) => Object(sanitise(spec)),
      stoodStillMs: () => lag.stood(),
    }),
    journal,
    logs: createLogsPort({ stateDir, onFailure }),
    metrics,
    inspect: lookOn,
    auth,
    parsePoolSpec,
    logger: http,
    tracer: traces?.requests ?? null,
  });
  const { metrics: metricsOn } = environment;
  let listeners: Listeners;
  try {
    listeners = await listenAll({
      api: app,
      on: listener ?? { host: environment.bind.host, port: environment.bind.port },
      auth,
      tls: config.tls.server(),
      metrics: metricsOn && {
        app: createMetricsApp({
          metrics,
          bind: { ...metricsOn, loopback: isLoopbackHost(metricsOn.host) },
          allowedHosts: environment.allowedHosts,
          logger: http,
        }),
        on: metricsOn,
      },
    });
  } catch (thrown) {
    observers.close();
    source.close();
    lag.stop();
    return { ok: false, problem: 'cannot_listen', message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  own.port = listeners.api.port;
  const renewing = followTls({
    source: config.tls,
    renew: (tls) => listeners.api.renew(tls),
    tell: (line) => log.warn(line),
    done: (line) => log.info(line),
  });
  const leaveToken = followToken({
    source: config.token,
    tell: (line) => log.warn(line),
    changed: (token) => log.info({ identity: fingerprintOf(token) }, 'the token is another one; the one before is refused from now on'),
  });
  const url = urlOf(listeners.api);
  const metricsUrl = listeners.metrics && urlOf(listeners.metrics);

  // --- go
  const capper = createLogCapper({ stateDir, onFailure });
  const booted = Promise.withResolvers<void>();
  node.subscribe({
    next: (snapshot) => {
      if (!snapshot.matches({ lifecycle: 'booting' })) booted.resolve();
    },
    error: (error) => {
      log.fatal({ err: error }, 'the node chart broke: a bug of pool-managerd');
      throw error;
    },
  });
  node.start();
  const following = followConfig({
    file: environment.poolsFile.file,
    load: config.readPools,
    known: config.pools,
    raised: booted.promise,
    hashOf: hashSpec,
    node,
    warn: (line) => log.warn(line),
  });
  const token = config.token.current();
  const fingerprint = token === null ? null : fingerprintOf(token);
  log.info({ url, metrics_url: metricsUrl, state_dir: stateDir, runtime_dir: runtimeDir, version, identity: fingerprint }, 'listening');
  if (launcher.name === 'detached')
    void ownUnitRisk().then(
      (risk) => risk && log[risk.level](risk.message),
      (thrown: unknown) => log.warn({ err: thrown }, 'what the unit of this daemon does to engines could not be read'),
    );

  let stopping: Promise<StopReport> | null = null;
  const hurry = new AbortController();
  const stop = async (mode: 'keep' | 'drain'): Promise<StopReport> => {
    await following.close();
    const report = await stopNode(node, views, mode, hurry.signal);
    renewing.stop();
    leaveToken();
    await listeners.close();
    node.stop();
    lag.stop();
    await Promise.all([capper.close(), store.settled(), traces?.close()]);
    source.close();
    observers.close();
    return report;
  };
  return {
    ok: true,
    daemon: {
      url,
      metricsUrl,
      booted: booted.promise,
      isHealthy: () => node.getSnapshot().status === 'active',
      statusLine: () => statusLine(views),
      reload: () => [...config.token.reload(), ...renewing.reload(), ...following.reload()],
      stop: (mode) => {
        stopping ??= stop(mode);
        return stopping;
      },
      hurry: () => hurry.abort(),
    },
  };
};
