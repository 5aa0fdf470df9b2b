/**
 * A stand-in for a model hub, as its clients see it: what a revision is and holds, and files by redirects to a second host, which
 * must never be shown a token.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { TestContext } from 'vitest';
import { type FileServer, fileServer, sha256Of, type Turn } from './file-server.ts';

export interface Hub {
  readonly api: FileServer;
  readonly files: FileServer;
  readonly url: string;
  commit(repo: string, files: Readonly<Record<string, HubFile | Buffer>>, options?: { readonly revision?: string; readonly token?: string }): string;
}

export interface HubFile {
  readonly content: Buffer;
  readonly script?: readonly Turn[];
}

interface Committed {
  readonly sha: string;
  readonly token: string | null;
  readonly siblings: readonly unknown[];
  readonly places: ReadonlyMap<string, string>;
}

export const hubStandIn = async (context: Pick<TestContext, 'onTestFinished'>): Promise<Hub> => {
  const [api, files] = [await fileServer(context), await fileServer(context)];
  const revisions = new Map<string, Committed>();
  api.otherwise((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const [, listed] = /^\/api\/models\/(.+?)$/.exec(path) ?? [];
    const [, repo = '', sha = '', file = ''] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const found = revisions.get(listed?.replace('/revision/', '@') ?? `${repo}@${sha}`);
    if (found === undefined || (found.token !== null && request.headers.authorization !== `Bearer ${found.token}`)) {
      response
        .writeHead(found === undefined && request.headers.authorization !== undefined ? 404 : 401, { 'content-type': 'application/json' })
        .end('{"error":"no"}');
    } else if (listed !== undefined) {
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: repo, sha: found.sha, siblings: found.siblings, private: false }));
    } else {
      const place = found.places.get(file);
      response.writeHead(place === undefined ? 404 : 302, place === undefined ? {} : { location: place }).end();
    }
    return true;
  });
  return {
    api,
    files,
    url: api.url,
    commit: (repo, tree, { revision = 'main', token } = {}) => {
      const sha = randomBytes(20).toString('hex');
      const places = new Map<string, string>();
      const siblings = Object.entries(tree).map(([rfilename, given]) => {
        const file = Buffer.isBuffer(given) ? { content: given } : given;
        const isLarge = /\.(?:gguf|safetensors|bin)$/.test(rfilename);
        const sha256 = sha256Of(file.content);
        places.set(rfilename, files.put(`/${sha256}`, file));
        return {
          rfilename,
          size: file.content.length,
          blobId: gitBlob(isLarge ? Buffer.from(`pointer to ${sha256}`) : file.content),
          ...(isLarge ? { lfs: { sha256, size: file.content.length, pointerSize: 135 } } : {}),
        };
      });
      const committed = { sha, token: token ?? null, siblings, places };
      revisions.set(`${repo}@${revision}`, committed);
      revisions.set(`${repo}@${sha}`, committed);
      return sha;
    },
  };
};

const gitBlob = (content: Buffer): string => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
