/**
 * YAML text → a plain value and where in the text each part of it stands. YAML 1.2 core: no merge keys, `yes` is text.
 * What is read twice, refers to itself or multiplies is refused. Knows nothing of pools. Never throws.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import type { Path } from './check-shape.ts';

export interface YamlMistake {
  readonly line: number;
  readonly message: string;
}

export type YamlText =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** Line of the last part of the path that is there. */
      readonly lineOf: (path: Path) => number;
      /** Keys that stand twice; the value has one of them. */
      readonly mistakes: readonly YamlMistake[];
    }
  | { readonly ok: false; readonly mistakes: readonly YamlMistake[] };

const mostAliases = 1000;

export const readYaml = (text: string): YamlText => {
  try {
    return read(text);
  } catch (thrown) {
    // Too many aliases, or nesting that no stack bears.
    return { ok: false, mistakes: [{ line: 1, message: `cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}` }] };
  }
};

const read = (text: string): YamlText => {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', schema: 'core', lineCounter: lines, prettyErrors: false, stringKeys: true });
  const mistakes = distinct([...document.errors, ...document.warnings].map((error) => toMistake(error, text, lines)));
  if (document.warnings.length > 0 || document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return { ok: false, mistakes };
  const value: unknown = document.toJS({ maxAliasCount: mostAliases });
  return { ok: true, value, mistakes, lineOf: (path) => lines.linePos(offsetOf(document, path)).line };
};

const toMistake = (error: YAMLError, text: string, lines: LineCounter): YamlMistake => {
  const { line } = lines.linePos(error.pos[0]);
  if (error.code === 'RESOURCE_EXHAUSTION') return { line, message: 'expected less nesting, found more than can be read' };
  if (error.code !== 'DUPLICATE_KEY') return { line, message: `not YAML: ${firstLine(error.message)}` };
  const key = /^[^\s:]*/.exec(text.slice(error.pos[0], error.pos[0] + 80))?.[0] ?? '';
  return { line, message: `expected each key once, found ${JSON.stringify(key)} again` };
};

const distinct = (mistakes: readonly YamlMistake[]): readonly YamlMistake[] => [
  ...new Map(mistakes.map((mistake) => [`${mistake.line} ${mistake.message}`, mistake] as const)).values(),
];

const firstLine = (message: string): string => message.split('\n')[0] ?? message;

/** Of the key where there is one, so that a mistake in a long value points at its beginning. */
const offsetOf = (document: Document.Parsed, path: Path): number => {
  let node: Node | null = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    const { at, next } = enter(document, node, step);
    offset = at ?? offset;
    node = next;
  }
  return offset;
};

const enter = (document: Document.Parsed, node: Node | null, step: string | number): { readonly at: number | null; readonly next: Node | null } => {
  const here = isAlias(node) ? (node.resolve(document) ?? null) : node;
  if (isSeq<Node>(here) && typeof step === 'number') {
    const next = here.items[step] ?? null;
    return { at: startOf(next), next };
  }
  if (!isMap<Node, Node | null>(here)) return { at: null, next: null };
  const pair = here.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return { at: startOf(pair?.key ?? null), next: pair?.value ?? null };
};

const startOf = (node: Node | null): number | null => node?.range?.[0] ?? null;
