/** What the API is, for programs (`GET /openapi.json`) and for people (`GET /docs`): each made once, at the first request. */
import { Hono } from 'hono';
import { answer, answerText } from '../answers.ts';
import type { AppEnv } from '../env.ts';
import { pagePolicy, writePage } from '../openapi/page.ts';

export const descriptionRoutes = (describe: () => Promise<object>) => {
  let made: Promise<object> | null = null;
  let page: string | null = null;
  const document = (): Promise<object> => {
    made ??= describe();
    return made;
  };
  return new Hono<AppEnv>()
    .get('/openapi.json', async (c) => answer(c.env, await document()))
    .get('/docs', async (c) => {
      page ??= writePage(await document());
      return answerText(c.env, page, 'text/html; charset=utf-8', { 'Content-Security-Policy': pagePolicy });
    });
};
