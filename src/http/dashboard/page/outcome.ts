/** What became of an order that was given here: kept beside the button that gave it, said to screen readers. */
import { type Described, h } from './dom.ts';
import { changed } from './store.ts';
import { messageOf } from './words.ts';

interface Outcome {
  readonly text: string;
  readonly kind: 'waiting' | 'done' | 'refused';
}

const outcomes = new Map<string, Outcome>();

/** `done`: what to say then, or how to say what was answered. */
export const outcomeOf = (place: string, done: string | ((answered: unknown) => string), answer: Promise<unknown>): void => {
  const put = (text: string, kind: Outcome['kind']): void => {
    outcomes.set(place, { text, kind });
    changed();
  };
  put('Asking the daemon', 'waiting');
  answer.then(
    (answered) => put(typeof done === 'string' ? done : done(answered), 'done'),
    (thrown: unknown) => put(thrown instanceof TypeError ? 'The daemon gave no answer; try again once it is back' : messageOf(thrown), 'refused'),
  );
};

export const forgetOutcome = (place: string): void => void outcomes.delete(place);

export const outcomeText = (place: string): Described => {
  const outcome = outcomes.get(place);
  return h('span', { role: 'status', class: `outcome ${outcome?.kind ?? ''}` }, outcome?.text ?? '');
};
