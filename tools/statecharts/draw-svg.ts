/**
 * A chart as SVG, laid out by Graphviz compiled to WebAssembly: no browser, the same bytes on every machine.
 *
 * A line has the colour of the public state it leads to; `any` stands for whichever child is active.
 */
import { instance } from '@viz-js/viz';
import { isWithin, joinLines, type Line } from './join-lines.ts';
import type { Chart, ChartState } from './read-chart.ts';

const ink = '#24292f';
const paper = ['#f6f8fa', '#eceff3', '#e3e7ed'];
const tones = ['#57606a', '#8a5a00', '#1f5fa8', '#1a7048', '#a0401a', '#7a3b69', '#3f5a63', '#57606a'];
const font = 'fontname=Arial';
/** Graphviz measures with Arial. Where that is missing letters are wider, so everything is laid out larger than it is shown. */
const roomForFonts = 1.12;
const size = { state: 13 * roomForFonts, actor: 10 * roomForFonts, any: 9 * roomForFonts, line: 11 * roomForFonts };
const lineLength = 34;
const look = [
  `compound=true; rankdir=TB; nodesep=0.3; ranksep=0.45; bgcolor=white; pad=0.3; labeljust=l; fontsize=${size.state}; fontcolor="${ink}"; ${font};`,
  `node [shape=box style="rounded,filled" fillcolor=white fontsize=${size.state} fontcolor="${ink}" margin="0.12,0.06" height=0.3 ${font}];`,
  `edge [fontsize=${size.line} arrowsize=0.7 ${font}];`,
];

export const drawSvg = async (chart: Chart): Promise<string> => {
  const viz = await instance();
  return `${asShown(viz.renderString(dotOf(chart), { format: 'svg' })).trim()}\n`;
};

const asShown = (svg: string): string =>
  svg
    .replaceAll(/font-size="([\d.]+)"/g, (_, laidOut: string) => `font-size="${(Number(laidOut) / roomForFonts).toFixed(1)}"`)
    .replaceAll('font-family="Arial"', 'font-family="Arial,Helvetica,Liberation Sans,DejaVu Sans,sans-serif"');

export const dotOf = (chart: Chart): string => {
  const picture = pictureOf(chart);
  return [
    `digraph ${quote(chart.root.id)} {`,
    ...look,
    ...drawStart(chart.root, picture),
    ...chart.root.states.map((state) => drawState(state, 0, picture)),
    ...picture.lines.map((line) => drawLine(line, picture)),
    '}',
  ].join('\n');
};

interface Picture {
  readonly lines: readonly Line[];
  readonly stateOf: (id: string) => ChartState;
  readonly toneOf: (id: string) => string;
  /** Place of the public state among the others, as declared. */
  readonly rankOf: (id: string) => number;
  /** Ids of states with children of which any may be left for one of the others. */
  readonly hubs: ReadonlySet<string>;
}

const pictureOf = (chart: Chart): Picture => {
  const states = new Map(allBelow(chart.root).map((state) => [state.id, state]));
  const lines = joinLines(chart);
  const stateOf = (id: string): ChartState => states.get(id) ?? chart.root;
  const rankOf = (id: string): number => chart.root.states.findIndex((top) => isWithin(id, top.id));
  const toneOf = (id: string): string => tones[rankOf(id) % tones.length] ?? ink;
  const turnsInside = ({ source, target }: Line): boolean => stateOf(source).states.length > 0 && isWithin(target, source);
  return { lines, stateOf, toneOf, rankOf, hubs: new Set(lines.filter(turnsInside).map(({ source }) => source)) };
};

const drawState = (state: ChartState, depth: number, picture: Picture): string => {
  const tone = `color="${picture.toneOf(state.id)}"`;
  if (state.states.length === 0) return `${quote(state.id)} [label=<${stateLabel(state)}>${state.type === 'final' ? ' peripheries=2' : ''} ${tone}];`;
  return [
    `subgraph ${quote(clusterOf(state))} {`,
    `label=<${stateLabel(state)}>; style="rounded,filled"; fillcolor="${paper[Math.min(depth, paper.length - 1)]}"; ${tone};`,
    ...drawStart(state, picture),
    ...(picture.hubs.has(state.id)
      ? [`${quote(hubOf(state))} [label=any shape=circle fontsize=${size.any} width=0.36 fixedsize=true style=dashed ${tone}];`]
      : []),
    ...state.states.map((child) => drawState(child, depth + 1, picture)),
    '}',
  ].join('\n');
};

/** The dot that says which child is entered first. */
const drawStart = (state: ChartState, picture: Picture): string[] => {
  if (state.initial === null) return [];
  const start = quote(`${state.id}#start`);
  const first = picture.stateOf(state.initial);
  const tone = `color="${picture.toneOf(first.id)}"`;
  return [`${start} [shape=point width=0.09 ${tone}]; ${start} -> ${quote(leafOf(first, picture))} [arrowsize=0.6 ${tone}${headAt(first)}];`];
};

const drawLine = (line: Line, picture: Picture): string => {
  const [source, target] = [picture.stateOf(line.source), picture.stateOf(line.target)];
  const tone = picture.toneOf(target.id);
  const turns = isWithin(target.id, source.id) && source.states.length > 0;
  const tail = turns ? hubOf(source) : leafOf(source, picture);
  const order = orderOf(line, picture);
  const ends = `${turns || source.states.length === 0 ? '' : ` ltail=${quote(clusterOf(source))}`}${isWithin(source.id, target.id) ? '' : headAt(target)}`;
  return `${quote(tail)} -> ${quote(leafOf(target, picture))} [id=${quote(line.key)} label=<${lineLabel(line)}> color="${tone}" fontcolor="${tone}"${order}${ends}];`;
};

/** Public states stand in the order in which they are declared; lines back, and those that pass one over, bend. */
const orderOf = ({ source, target }: Line, { rankOf }: Picture): string => {
  const step = rankOf(target) - rankOf(source);
  return step < 0 ? ' constraint=false' : step > 1 ? ' weight=0' : ' weight=4';
};

const headAt = (state: ChartState): string => (state.states.length === 0 ? '' : ` lhead=${quote(clusterOf(state))}`);

/** Graphviz draws between leaves and cuts the line at the border of what they stand for. */
const leafOf = (state: ChartState, picture: Picture): string => {
  const first = state.initial === null ? state.states[0] : picture.stateOf(state.initial);
  return first === undefined ? state.id : leafOf(first, picture);
};

const allBelow = (state: ChartState): ChartState[] => [state, ...state.states.flatMap(allBelow)];

const clusterOf = ({ id }: ChartState): string => `cluster_${id}`;

const hubOf = ({ id }: ChartState): string => `${id}#any`;

const stateLabel = ({ name, actors }: ChartState): string =>
  `<b>${markup(name)}</b>${actors.map((actor) => `<br/><font point-size="${size.actor}" color="#57606a">${markup(actor)}</font>`).join('')}`;

const lineLabel = ({ labels }: Line): string =>
  `<table border="0" cellborder="0" cellspacing="0" cellpadding="1">${labels
    .flatMap(wrap)
    .map((text) => `<tr><td align="left">${markup(text)}</td></tr>`)
    .join('')}</table>`;

/** Breaks a long list of events behind a comma; what goes on is set in. */
const wrap = (text: string): string[] => {
  const rows: string[] = [];
  for (const part of text.split(/(?<=, )|(?= \[)/)) {
    const last = rows.at(-1);
    if (last !== undefined && last.length + part.length <= lineLength) rows.splice(-1, 1, last + part);
    else rows.push(last === undefined ? part : `\u2003${part}`);
  }
  return rows;
};

const markup = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const quote = (id: string): string => JSON.stringify(id);
