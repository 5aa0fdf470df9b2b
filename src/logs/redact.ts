/**
 * Takes secrets out of what engines print. By shape and by unmistakable names only: `token` and `key` alone are words of every
 * engine's ordinary output (`n_tokens = 5`, `key cache`), and a log without them is of no use.
 */
import { redacted, sanitiseText } from '../observe/sanitise.ts';

export const redactOutput = (text: string): string =>
  sanitiseText(text).replace(named, `$1${redacted}`).replace(flagged, `$1${redacted}`).replace(shaped, redacted).replace(inUrl, `$1${redacted}@`);

/** `HF_TOKEN=…`, `api_key='…'`, `"password": "…"`, `x-api-key: …` */
const named =
  /((?:api[-_]?key|secret(?:[-_]?(?:access[-_]?)?key)?|password|passwd|(?:hf|hub|auth|access|api|bearer|refresh|llorch_api)[-_]token)["']?\s{0,4}[=:]\s{0,4}(?![[("']{0,3}(?:\[?redacted\]|None\b|null\b))[[("']{0,3})[^\s"',;)}\]]+/gi;
/** `--api-key …` */
const flagged = /(--(?:api-key|hf-token|token|password|secret)\s{1,4})(?!\[redacted\]|-)[^\s"',;]+/gi;
/** Hugging Face, OpenAI-like and GitHub tokens. */
const shaped = /\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,})\b/g;
/** `https://user:password@host` */
const inUrl = /(\b[a-z][a-z0-9+.-]{1,16}:\/\/)(?!\[redacted\])[^\s/@]{1,512}@/gi;
