/** Whether a token is good enough for where the API listens. Pure. */

const shortest = 16;
const placeholders = /your[-_]?token|same[-_]?token|change[-_]?me|placeholder|^<.*>$|^(.)\1*$/i;

/** A sentence with the way out, without the token; null: it may be used. `setting`: where it comes from. */
export const tokenProblem = (token: string | null, setting: string, loopback: boolean): string | null => {
  if (loopback) return null;
  if (token === null) {
    return `${setting}: expected a token, since the API listens on an address that other machines reach, found none; set LLORCH_API_TOKEN_FILE to a file with one of at least ${shortest} characters, or bind 127.0.0.1`;
  }
  const weakness = weaknessOf(token);
  return weakness === null
    ? null
    : `${setting}: expected a random token of at least ${shortest} characters, since the API listens on an address that other machines reach, found ${weakness}; openssl rand -hex 32 makes one`;
};

const weaknessOf = (token: string): string | null => {
  if (token.length < shortest) return `one of ${token.length}`;
  return placeholders.test(token) ? 'a placeholder' : null;
};
