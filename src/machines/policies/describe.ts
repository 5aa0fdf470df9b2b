/** Small pure helpers for views: state paths and times in the API's words. */

/** `{starting: {loading: 'answering'}}` → `starting.loading.answering`; parallel regions joined by a comma. */
export const pathOf = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, child]) => {
      const below = pathOf(child);
      return below === '' ? key : below.includes(',') ? `${key}.(${below})` : `${key}.${below}`;
    })
    .join(',');
};

/** RFC 3339 UTC with milliseconds. */
export const rfc3339 = (at: number): string => new Date(at).toISOString();
export const rfc3339OrNull = (at: number | null | undefined): string | null => (at == null ? null : rfc3339(at));
