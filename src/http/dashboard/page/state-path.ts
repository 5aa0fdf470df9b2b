/** A state's value as a path: `{starting: {loading: 'answering'}}` → `starting.loading.answering`; parallel ones joined by a comma. */
export const pathText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, child]) => {
      const below = pathText(child);
      return below === '' ? key : `${key}.${below.includes(',') ? `(${below})` : below}`;
    })
    .join(',');
};
