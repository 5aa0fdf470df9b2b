/**
 * The Chromium of this machine, for tests of the dashboard: opened once for a file, a fresh context for each page, everything
 * that a page asks for or complains of kept. `CHROMIUM=/path` says where one is; without one what needs it is skipped.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const chromiumPath: string | null = process.env['CHROMIUM'] ?? usual.find((path) => existsSync(path)) ?? null;

export interface Watched {
  readonly page: Page;
  /** Addresses of everything that was asked for. */
  readonly asked: readonly string[];
  /** Errors in the console and errors that nobody caught. What a dead daemon does not answer is none. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

export interface PageOptions {
  readonly width?: number;
  readonly dark?: boolean;
}

/** Root of a container may not have the sandbox; nothing but the daemon's own page is shown. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath ?? 'chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });

export const openPage = async (browser: Browser, url: string, { width = 1280, dark = false }: PageOptions = {}): Promise<Watched> => {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB' });
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|status of [45]\d\d/.test(message.text()))
      complaints.push(message.text());
  });
  await page.goto(url);
  return { page, asked, complaints, close: () => context.close() };
};

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What keeps people out, one line each; empty: nothing that axe-core knows of. A drawing is one picture: its insides are left out. */
export const accessViolations = async (page: Page): Promise<readonly string[]> => {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const { violations } = await page.evaluate<{ violations: readonly Violation[] }>("axe.run({ exclude: ['.chart svg > g'] })");
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
};

const documented = resolve(import.meta.dirname, '../../docs/pictures');

/** PICTURES=folder keeps pictures of everything there; RENEW_PICTURES=1 renews those that are in the documents. */
export const takePicture = async (page: Page, name: string): Promise<void> => {
  const folder = process.env['PICTURES'];
  const inDocuments = join(documented, `${name}.png`);
  const places = [
    ...(folder === undefined ? [] : [join(folder, `${name}.png`)]),
    ...(process.env['RENEW_PICTURES'] === '1' && existsSync(inDocuments) ? [inDocuments] : []),
  ];
  for (const path of places) await page.screenshot({ path, animations: 'disabled' });
};

export const waitMs = 30_000;

/** A pool in the list. */
export const row = (page: Page, id: string): Locator => page.locator(`li[data-pool="${id}"]`);

/** Waits until it does. */
export const says = (locator: Locator, text: string | RegExp): Promise<void> =>
  locator.filter({ hasText: text }).first().waitFor({ timeout: waitMs });

export const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
