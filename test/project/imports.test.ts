/**
 * Imports point one way. The table below is the rule; a new folder in `src/` needs a row.
 *
 * `types` may be had from everywhere that `values` may. `shared` are the small files directly in `src/`.
 */
import { describe, expect, it } from 'vitest';
import { importsIn, type SourceImport, sourceFiles, sourceImports, sourceText } from '../kit/source-imports.ts';

interface Row {
  /** Folder, or single file, below `src/`. The longest that fits a file counts. */
  readonly area: string;
  readonly is: string;
  readonly values: readonly string[];
  readonly types: readonly string[];
  readonly packages: readonly string[];
  /** `node:` modules; `all` for rims, which touch the world. */
  readonly node: 'all' | readonly string[];
}

const berths = 'machines/policies/berths.ts';
const openTelemetry = ['api', 'core', 'exporter-trace-otlp-proto', 'resources', 'sdk-trace'].map((name) => `@opentelemetry/${name}`);
const words = ['machines/reasons.ts', 'machines/policies/describe.ts', berths];

const rows: readonly Row[] = [
  { area: 'machines', is: 'decides, purely', values: [], types: [], packages: ['xstate'], node: [] },
  { area: 'shared', is: 'small helpers of all', values: [], types: ['machines'], packages: [], node: [] },

  { area: 'engines', is: 'data and pure functions', values: ['shared'], types: ['machines'], packages: ['valibot'], node: ['node:path', 'node:os'] },
  {
    area: 'gpu',
    is: 'facts about cards',
    values: ['shared', 'os'],
    types: ['machines'],
    packages: ['valibot', '@rgrove/parse-xml', 'execa'],
    node: 'all',
  },
  {
    area: 'os',
    is: 'what the operating system offers',
    values: ['shared'],
    types: ['machines'],
    packages: ['valibot', 'systeminformation'],
    node: 'all',
  },
  { area: 'orchestrator', is: 'speaks to the control plane', values: ['shared'], types: ['machines'], packages: ['valibot'], node: 'all' },
  { area: 'state', is: 'what survives the daemon', values: ['shared', 'os', 'machines'], types: [], packages: ['valibot'], node: 'all' },
  {
    area: 'config',
    is: 'environment and pools file',
    values: ['shared', 'os', 'orchestrator', 'engines'],
    types: ['machines', 'gpu'],
    packages: ['valibot', '@valibot/to-json-schema', 'yaml'],
    node: 'all',
  },
  {
    area: 'provisioning',
    is: 'engines and models, from a name to a file',
    values: ['shared', 'os', 'engines', 'gpu'],
    types: ['machines'],
    packages: ['valibot', 'tar', 'yauzl'],
    node: 'all',
  },
  {
    area: 'actors',
    is: 'acts',
    values: ['shared', 'os', 'engines', 'gpu', 'orchestrator', 'state', 'logs', 'provisioning', 'machines/policies'],
    types: ['machines', 'config'],
    packages: ['xstate', 'valibot', 'execa'],
    node: 'all',
  },
  {
    area: 'actors/implementations.ts',
    is: 'gives the names in the machines their effects',
    values: ['shared', 'actors', 'machines', 'os', 'engines', 'gpu', 'orchestrator', 'state', 'logs', 'provisioning'],
    types: ['config'],
    packages: ['xstate'],
    node: 'all',
  },
  {
    area: 'http',
    is: 'the API; all it shows is handed in',
    values: ['shared', 'os/own-files.ts', ...words],
    types: ['machines'],
    packages: ['hono', '@hono/node-server', 'hono-openapi', 'valibot', '@valibot/to-json-schema'],
    node: 'all',
  },
  {
    area: 'http/dashboard/page',
    is: 'runs in a browser',
    values: [],
    types: ['machines', 'http'],
    packages: [],
    node: [],
  },
  {
    area: 'observe',
    is: 'tells what the machines did',
    values: ['shared', ...words, 'machines/policies/xids.ts'],
    types: ['machines', 'http/ports.ts'],
    packages: ['xstate', 'pino', 'prom-client', '@statelyai/inspect', ...openTelemetry],
    node: 'all',
  },
  {
    area: 'logs',
    is: 'what engines wrote',
    values: ['shared', 'os', 'state', 'observe', berths],
    types: ['machines', 'http/ports.ts'],
    packages: [],
    node: 'all',
  },
  {
    area: 'control',
    is: 'between the running machines and those who ask or tell them',
    values: ['shared', 'machines', 'gpu'],
    types: ['http/ports.ts', 'observe', 'state', 'config'],
    packages: ['xstate', 'chokidar'],
    node: ['node:crypto', 'node:timers/promises'],
  },
  {
    area: 'engine-exec',
    is: 'becomes an engine, as its user',
    values: ['shared', 'os', 'state', 'actors/launch'],
    types: ['machines'],
    packages: [],
    node: 'all',
  },
  {
    area: 'cli',
    is: 'a person over HTTP',
    values: ['shared', 'os/tls-fetch.ts', berths],
    types: ['http/app.ts', 'machines/reasons.ts'],
    packages: ['commander', 'valibot', 'hono'],
    node: 'all',
  },
  {
    area: 'cli/local',
    is: 'a person without a daemon',
    values: ['shared', 'cli', 'gpu', 'config', 'machines', 'observe', 'os', 'provisioning', 'state'],
    types: [],
    packages: ['commander', 'valibot'],
    node: 'all',
  },
  {
    area: 'cli/stately',
    is: "the charts of a daemon in another's viewer",
    values: ['shared', 'cli', 'machines'],
    types: [],
    packages: ['valibot', 'xstate'],
    node: 'all',
  },
  {
    area: 'demo',
    is: 'stand-ins for what a machine lacks, and a daemon to look at',
    values: ['shared', 'cli', 'os'],
    types: ['machines'],
    packages: ['valibot', 'yaml'],
    node: 'all',
  },
];

/** These know everything, and nothing but each other knows them. */
const roots = ['executable-start.ts', 'executable.ts', 'main.ts', 'serve-main.ts', 'serve.ts', 'daemon.ts'];

const areaOf = (file: string): string | null => {
  if (!file.includes('/')) return roots.includes(file) ? file : 'shared';
  const fitting = rows.filter(({ area }) => isWithin(file, area)).sort((one, other) => other.area.length - one.area.length);
  return fitting[0]?.area ?? null;
};

const isWithin = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`);

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

const complaint = ({ from, to, kind, typeOnly }: SourceImport): string | null => {
  const area = areaOf(from);
  const row = rows.find((each) => each.area === area);
  if (area === null) return `src/${from} is in a folder without a row in the table of test/project/imports.test.ts`;
  if (to === '../package.json') return null;
  if (kind === 'ours' && to.startsWith('..')) return `src/${from} imports ${to}: src/ knows nothing outside of it`;
  if (kind === 'ours' && roots.includes(to) && !roots.includes(area)) return `src/${from} imports src/${to}, which nothing imports`;
  if (row === undefined || isAllowed(row, to, kind, typeOnly)) return null;
  return `src/${from} imports ${typeOnly ? 'a type' : 'a value'} of ${to}: ${area} (${row.is}) may have ${mayHave(row, kind, typeOnly)}`;
};

const isAllowed = (row: Row, to: string, kind: SourceImport['kind'], typeOnly: boolean): boolean => {
  if (kind === 'node') return row.node === 'all' || row.node.includes(to);
  if (kind === 'package') return row.packages.includes(packageOf(to));
  const places = [row.area, ...row.values, ...(typeOnly ? row.types : [])];
  return places.some((place) => (place === 'shared' ? areaOf(to) === 'shared' : isWithin(to, place)));
};

const mayHave = (row: Row, kind: SourceImport['kind'], typeOnly: boolean): string => {
  const places = kind === 'node' ? row.node : kind === 'package' ? row.packages : [...row.values, ...(typeOnly ? row.types : [])];
  return typeof places === 'string' || places.length > 0 ? `${kind === 'ours' ? '' : `${kind} modules `}${String(places)}` : `no ${kind} modules`;
};

const imports = sourceImports();

describe('imports', () => {
  it('are read, all of them', () => {
    const text = `import { type A, b } from './b.ts';\nimport type { C } from '../c.ts';\nimport {\n  type D,\n  type E,\n} from 'd';\nexport * from './f.ts';\nimport 'node:fs';\nawait import('./g.ts');\n`;
    expect(importsIn('machines/x.ts', text).map(({ to, kind, typeOnly }) => [to, kind, typeOnly])).toEqual([
      ['machines/b.ts', 'ours', false],
      ['c.ts', 'ours', true],
      ['d', 'package', true],
      ['machines/f.ts', 'ours', false],
      ['node:fs', 'node', false],
      ['machines/g.ts', 'ours', false],
    ]);
    expect(imports.length).toBeGreaterThan(sourceFiles.length);
  });

  it('point one way', () => {
    expect(imports.map(complaint).filter((said) => said !== null)).toEqual([]);
  });

  it.each([
    ['an actor in the API', { from: 'http/routes/pools.ts', to: 'actors/spawn-engine.ts', kind: 'ours', typeOnly: true }],
    ["a machine's value in an actor", { from: 'actors/spawn-engine.ts', to: 'machines/pool/machine.ts', kind: 'ours', typeOnly: false }],
    ['the world in a machine', { from: 'machines/pool/guards.ts', to: 'node:fs', kind: 'node', typeOnly: false }],
    ['the composition root anywhere', { from: 'control/commands.ts', to: 'daemon.ts', kind: 'ours', typeOnly: false }],
    ['the server in the command line, but for its types', { from: 'cli/client.ts', to: 'http/app.ts', kind: 'ours', typeOnly: false }],
    ['tests in the product', { from: 'actors/spawn-engine.ts', to: '../test/kit/until.ts', kind: 'ours', typeOnly: false }],
    ['a folder without a row', { from: 'nowhere/x.ts', to: 'cause.ts', kind: 'ours', typeOnly: false }],
  ] satisfies [string, SourceImport][])('refuse %s', (_, wrong) => {
    expect(complaint(wrong)).not.toBeNull();
  });

  it('never go round in a circle, nor do those of types alone', () => {
    const ours = Map.groupBy(
      imports.filter(({ kind }) => kind === 'ours'),
      ({ from }) => from,
    );
    const settled = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' → '));
      if (settled.has(file) || way.includes(file)) return;
      for (const { to } of ours.get(file) ?? []) walk(to, [...way, file]);
      settled.add(file);
    };
    for (const file of sourceFiles) walk(file, []);
    expect(circles).toEqual([]);
  });
});

describe('machines', () => {
  const outside =
    /\b(?:Date\.now|new Date\(\)|performance\.|Math\.random|crypto\.|console\.|process\.(?:env|argv|exit|kill|on|hrtime|nextTick|stdout|stderr)\b|setTimeout|setInterval|fetch\()/;

  it('ask no clock, no chance, no logger and no environment', () => {
    const asking = sourceFiles
      .filter((file) => file.startsWith('machines/'))
      .flatMap((file) =>
        sourceText(file)
          .split('\n')
          .map((line, index) => ({ place: `src/${file}:${index + 1}`, line })),
      )
      .filter(({ line }) => outside.test(line) && !/^\s*(?:\/?\*|\/\/)/.test(line));
    expect(asking).toEqual([]);
  });
});
