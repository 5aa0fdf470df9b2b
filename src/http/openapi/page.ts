/**
 * The OpenAPI document as a page for people: `GET /docs`. One file without scripts and without anything from elsewhere; what it says
 * is what the document says.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';

const content = v.optional(v.record(v.string(), v.object({ schema: v.optional(v.unknown()) })), {});
const operation = v.object({
  tags: v.optional(v.array(v.string()), []),
  operationId: v.string(),
  summary: v.optional(v.string(), ''),
  security: v.optional(v.array(v.unknown())),
  parameters: v.optional(
    v.array(
      v.object({
        in: v.string(),
        name: v.string(),
        required: v.optional(v.boolean(), false),
        description: v.optional(v.string(), ''),
        schema: v.optional(v.unknown()),
      }),
    ),
    [],
  ),
  requestBody: v.optional(v.object({ content })),
  responses: v.record(v.string(), v.object({ description: v.optional(v.string(), ''), content })),
});
const documentSchema = v.object({
  info: v.object({ title: v.string(), description: v.string(), version: v.string() }),
  tags: v.array(v.object({ name: v.string(), description: v.string() })),
  components: v.object({ schemas: v.record(v.string(), v.unknown()) }),
  paths: v.record(v.string(), v.record(v.string(), operation)),
});

type Document = v.InferOutput<typeof documentSchema>;
type Described = v.InferOutput<typeof operation> & { readonly method: string; readonly path: string };

const style = `:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem 1.5rem}
h2{margin-top:3rem;border-bottom:1px solid}h3{margin-top:2rem}code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{overflow:auto;padding:.75rem;border:1px solid;border-radius:.25rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}`;

/** Nothing but this one style, in no other page. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export const writePage = (openapi: object): string => {
  const document = v.parse(documentSchema, openapi);
  const { info, tags, components } = document;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(info.title)} API</title><style>${style}</style></head>
<body><h1>${text(info.title)} ${text(info.version)}</h1>
<p>${text(info.description)} The same for programs: <a href="/openapi.json">/openapi.json</a>.</p>
<p>Except where it says <em>open</em>, a request needs <code>Authorization: Bearer &lt;token&gt;</code> where a token is set.</p>
${tags.map((tag) => section(tag, operationsOf(document, tag.name))).join('\n')}
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas)
  .map(([name, schema]) => `<h3 id="schema-${text(name)}">${text(name)}</h3>${pretty(schema)}`)
  .join('\n')}
</body></html>
`;
};

const operationsOf = ({ paths }: Document, tag: string): readonly Described[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, described]) =>
      described.tags.includes(tag) ? [{ ...described, method: method.toUpperCase(), path }] : [],
    ),
  );

const section = ({ name, description }: { readonly name: string; readonly description: string }, described: readonly Described[]): string =>
  `<h2 id="${text(name)}">${text(name)}</h2><p>${text(description)}</p>${described.map(oneOperation).join('\n')}`;

const oneOperation = ({ method, path, operationId, summary, security, parameters, requestBody, responses }: Described): string =>
  [
    `<h3 id="${text(operationId)}"><code>${method} ${text(path)}</code></h3>`,
    `<p>${text(summary)}${security?.length === 0 ? ' <em>(open)</em>' : ''}</p>`,
    parameters.length === 0
      ? ''
      : table(
          ['parameter', 'in', 'is'],
          parameters.map((one) => [
            `<code>${text(one.name)}</code>${one.required ? '' : ' (optional)'}`,
            text(one.in),
            `${text(one.description)} ${inline(one.schema)}`,
          ]),
        ),
    requestBody === undefined ? '' : `<p>Body: ${contentOf(requestBody.content)}</p>`,
    table(
      ['status', 'means', 'body'],
      Object.entries(responses).map(([status, answer]) => [text(status), text(answer.description), contentOf(answer.content)]),
    ),
  ].join('');

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead><tbody>${rows
    .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table>`;

const contentOf = (media: v.InferOutput<typeof content>): string =>
  Object.entries(media)
    .map(([type, { schema }]) => `<code>${text(type)}</code> ${linked(schema)}`)
    .join(', ');

/** A schema with a name is linked, another shown where it stands. */
const linked = (schema: unknown): string => {
  const name = /"\$ref":"#\/components\/schemas\/([^"]+)"/.exec(JSON.stringify(schema) ?? '')?.[1];
  return name === undefined ? inline(schema) : `<a href="#schema-${text(name)}">${text(name)}</a>`;
};

const inline = (schema: unknown): string => (schema === undefined ? '' : `<code>${text(JSON.stringify(schema))}</code>`);

const pretty = (schema: unknown): string => `<pre>${text(JSON.stringify(schema, null, 1))}</pre>`;

const text = (raw: string): string => raw.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
