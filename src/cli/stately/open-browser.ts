/** Opens an address in the person's browser where there is a desktop; else nothing is done, and the person has the address. */
import { spawn } from 'node:child_process';

/** Resolves with whether something was started to open it. */
export const openBrowser = (url: string, env: Readonly<Record<string, string | undefined>>): Promise<boolean> => {
  if (!env['DISPLAY'] && !env['WAYLAND_DISPLAY']) return Promise.resolve(false);
  return new Promise((resolve) => {
    // Not ours to end: it may become the browser itself.
    const child = spawn('xdg-open', [url], { stdio: 'ignore', detached: true, env: { ...env } });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
};
