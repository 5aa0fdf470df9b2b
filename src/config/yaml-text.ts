/**
 * YAML text → a plain value and where in the text each part of it stands. YAML 1.2 core: no merge keys, `yes` is text.
 * What is read twice, refers to itself or multiplies is refused. Knows nothing of pools. Never throws.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit, type YAMLError } from 'yaml';
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
  // The library's own search for keys that stand twice takes time by the square of their number.
  const options = { version: '1.2', schema: 'core', lineCounter: lines, prettyErrors: false, stringKeys: true, uniqueKeys: false } as const;
  const document = parseDocument(text, options);
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) return { ok: false, mistakes: distinct(wrong.map((error) => toMistake(error, lines))) };
  const value: unknown = document.toJS({ maxAliasCount: mostAliases });
  return { ok: true, value, mistakes: repeatedKeys(document, lines), lineOf: (path) => lines.linePos(offsetOf(document, path)).line };
};

const repeatedKeys = (document: Document.Parsed, lines: LineCounter): readonly YamlMistake[] => {
  const mistakes: YamlMistake[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (keys.has(name))
          mistakes.push({ line: lines.linePos(startOf(key) ?? 0).line, message: `expected each key once, found ${JSON.stringify(name)} again` });
        keys.add(name);
      }
    },
  });
  return mistakes;
};

const toMistake = ({ code, message, pos }: YAMLError, lines: LineCounter): YamlMistake => ({
  line: lines.linePos(pos[0]).line,
  message: code === 'RESOURCE_EXHAUSTION' ? 'expected less nesting, found more than can be read' : `not YAML: ${firstLine(message)}`,
});

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
  const pair = here.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step));
  return { at: startOf(pair?.key ?? null), next: pair?.value ?? null };
};

const startOf = (node: Node | null): number | null => node?.range?.[0] ?? null;
