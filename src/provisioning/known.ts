/** What a pool's provisioning names, with what its engine is known by where the pool says nothing. Pure. */
import { CauseError } from '../cause.ts';
import { adapterFor } from '../engines/index.ts';
import type { EngineName, PoolSpec } from '../machines/vocabulary.ts';

type Mode<M extends PoolSpec['provisioning']['mode']> = Extract<PoolSpec['provisioning'], { mode: M }>;

export const namedSource = (engine: EngineName, { source }: Mode<'source'>): Mode<'source'>['source'] & { readonly repo: string } => ({
  ...source,
  repo: source.repo ?? adapterFor(engine).known?.repo ?? none(engine, 'source.repo'),
});

export const namedPackage = (engine: EngineName, { package: named }: Mode<'package'>): Mode<'package'>['package'] & { readonly name: string } => ({
  ...named,
  name: named.name ?? adapterFor(engine).known?.package ?? none(engine, 'package.name'),
});

/** A pools file that says neither is refused when it is read; a record of another version may. */
const none = (engine: EngineName, key: string): never => {
  throw new CauseError({
    code: 'invalid_spec',
    message: `expected \`provisioning.${key}\`, since the engine ${engine} has none of its own, found nothing`,
  });
};
