/** Reads a body as text and refuses to read more than it was told to. The caller's deadline covers the reading. */
export const readBounded = async (response: Response, mostBytes: number): Promise<string> => {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`expected an answer of at most ${mostBytes} bytes, found more`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};
