/** An image by its digest, as a runtime names and describes it. Pure but for the question. */
import * as v from 'valibot';
import type { ContainerRuntime } from './runtime.ts';

export interface WantedImage {
  /** Name, with or without a tag, which the digest makes void. */
  readonly image: string;
  /** `sha256:…` */
  readonly digest: string;
}

export interface ImageFacts {
  /** First word of its entrypoint; null: it has none. */
  readonly entrypoint: string | null;
}

/** Without the tag: podman refuses a name with both. A colon before the last slash is that of a port. */
export const imageReference = ({ image, digest }: WantedImage): string => `${image.replace(/:[^:/]*$/, '')}@${digest}`;

const schema = v.pipe(
  v.string(),
  v.parseJson(),
  v.tuple([
    v.looseObject({
      RepoDigests: v.nullish(v.array(v.string()), []),
      Config: v.nullish(v.looseObject({ Entrypoint: v.nullish(v.union([v.array(v.string()), v.string()])) })),
    }),
  ]),
);

/** Null: it is not there. */
export const lookAtImage = async (runtime: ContainerRuntime, wanted: WantedImage, signal: AbortSignal): Promise<ImageFacts | null> => {
  const ended = await runtime.call(['image', 'inspect', imageReference(wanted)], signal);
  if (!ended.ok) return null;
  const parsed = v.safeParse(schema, ended.stdout);
  if (!parsed.success || !parsed.output[0].RepoDigests.some((one) => one.endsWith(`@${wanted.digest}`))) return null;
  const entrypoint = parsed.output[0].Config?.Entrypoint ?? null;
  return { entrypoint: (Array.isArray(entrypoint) ? entrypoint[0] : entrypoint) ?? null };
};
