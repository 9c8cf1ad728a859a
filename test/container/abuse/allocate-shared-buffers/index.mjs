export function execute() {
  const kept = [];
  for (;;) {
    const shared = new SharedArrayBuffer(4 * 1024 * 1024);
    kept.push(new Uint8Array(shared).fill(1));
  }
}
