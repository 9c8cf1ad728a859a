/** All of stdout counts: what the runner said first, and the record around the result. */
export function execute() {
  const ready = `\u001e{"jsonrpc":"2.0","method":"ready","params":{"protocol":1,"node":"${process.version}"}}\n`;
  const around = '\u001e{"jsonrpc":"2.0","id":1,"result":""}\n';
  return 'x'.repeat(4096 - ready.length - around.length);
}
