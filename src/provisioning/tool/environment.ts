/** What tools that install and build are given of the daemon's environment, and where they are found. */
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

const passedOn = /^(?:PATH|HOME|LANG|TMPDIR|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy|(?:PIP|UV)_\w+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE)$/;

/** From zero: no token of ours goes to an installer. */
export const toolEnvironment = (env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value !== undefined && passedOn.test(name) ? [[name, value] as const] : [])));

export const onPath = async (name: string, path: string): Promise<string | null> => {
  for (const dir of path.split(delimiter).filter(isAbsolute)) {
    const file = join(dir, name);
    const found = await stat(file).catch(() => null);
    if (
      found?.isFile() &&
      (await access(file, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return file;
  }
  return null;
};
