/** A wheel of a package named vllm, whose program answers as vllm does when it is asked what it is. */
import { createHash } from 'node:crypto';
import { zipOf } from './archives.ts';

export const wheel = (version: string): Buffer => {
  const info = `vllm-${version}.dist-info`;
  const files: readonly (readonly [string, string])[] = [
    ['vllm.py', `import sys\ndef main():\n    print("  --model MODEL" if "serve" in sys.argv else "${version}")\n`],
    [`${info}/METADATA`, `Metadata-Version: 2.1\nName: vllm\nVersion: ${version}\n`],
    [`${info}/WHEEL`, 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'],
    [`${info}/entry_points.txt`, '[console_scripts]\nvllm = vllm:main\n'],
  ];
  const sums = files.map(([name, text]) => `${name},sha256=${createHash('sha256').update(text).digest('base64url')},${Buffer.byteLength(text)}`);
  const record = [`${info}/RECORD`, `${[...sums, `${info}/RECORD,,`].join('\n')}\n`] as const;
  return zipOf([...files, record].map(([name, text]) => ({ name, content: Buffer.from(text), mode: 0o100644 })));
};
