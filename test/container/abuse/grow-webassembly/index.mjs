export function execute() {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
  for (;;) {
    const from = memory.buffer.byteLength;
    memory.grow(64);
    new Uint8Array(memory.buffer, from).fill(1);
  }
}
