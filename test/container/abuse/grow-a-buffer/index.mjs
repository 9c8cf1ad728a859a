export function execute() {
  const buffer = new ArrayBuffer(0, { maxByteLength: 2 ** 32 });
  for (;;) {
    const from = buffer.byteLength;
    buffer.resize(from + 4 * 1024 * 1024);
    new Uint8Array(buffer, from).fill(1);
  }
}
