import { getEncoding } from 'js-tiktoken';

export function execute() {
  const encoding = getEncoding('cl100k_base');
  const tokens = encoding.encode('hello world');
  return { tokens, text: encoding.decode(tokens) };
}
