/**
 * The OpenAPI 3.1 document, made from the routes that serve, the schemas that validate, and the table of operations.
 *
 * Descriptions are attached to the handlers themselves: as middleware of their own they would cost every request a step.
 */
import type { Hono } from 'hono';
import { generateSpecs, uniqueSymbol } from 'hono-openapi';
import type { AppEnv } from '../env.ts';
import { type Operation, operations } from './operations.ts';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly handler: object;
}

/** @throws where the table and the routes do not fit each other: a mistake of ours, seen at every start. */
export const describeRoutes = (routes: readonly Route[], table: Readonly<Record<string, Operation>> = operations): void => {
  const handlers = new Map<string, object>();
  // The last one is the handler; those before it bring schemas.
  for (const { method, path, handler } of routes) handlers.set(`${method} ${path}`, handler);
  const unknown = Object.keys(table).filter((key) => !handlers.has(key));
  const undescribed = [...handlers.keys()].filter((key) => !(key in table));
  if (unknown.length > 0 || undescribed.length > 0) {
    throw new Error(`routes and operations differ: no route ${unknown.join(', ') || '-'}; no operation ${undescribed.join(', ') || '-'}`);
  }
  for (const [key, handler] of handlers) Object.assign(handler, { [uniqueSymbol]: { spec: table[key] } });
};

export const writeDocument = async (app: Hono<AppEnv, never, never>, version: string): Promise<object> => {
  const document = await generateSpecs(app, {
    // Every operation names its own refusals; the library's default would be of another shape.
    defaultValidationErrorResponse: false,
    excludeStaticFile: false,
    documentation: {
      info: {
        title: 'pool-managerd',
        description: 'One daemon per GPU machine: inference engines, what they do and why.',
        version,
        license: { name: 'GPL-3.0-or-later', identifier: 'GPL-3.0-or-later' },
      },
      servers: [{ url: 'http://127.0.0.1:9200' }],
      tags: [
        { name: 'pools', description: 'What they are, and orders for them' },
        { name: 'history', description: 'What became of them' },
        { name: 'node', description: 'The machine and its control plane' },
        { name: 'daemon', description: 'The process itself' },
      ],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
  });
  return JSON.parse(JSON.stringify(document));
};
