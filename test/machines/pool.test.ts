/** A pool's life, told on simulated time; at the end every transition of the chart was taken, and every journal folds. */
import { afterAll, afterEach, expect } from 'vitest';
import { closeStories, coverage } from './pool/story.ts';
import './pool/starting.ts';
import './pool/serving.ts';
import './pool/draining.ts';
import './pool/resting.ts';
import './pool/reloading.ts';
import './pool/declaring.ts';
import './pool/adopting.ts';
import './pool/attached.ts';

afterEach(closeStories);

afterAll(() => {
  expect(coverage.missing(), 'transitions that no story took').toEqual([]);
});
