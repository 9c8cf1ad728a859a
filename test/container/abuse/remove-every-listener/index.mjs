export function execute() {
  process.removeAllListeners();
  setImmediate(() => {
    throw new Error('loose');
  });
  return new Promise(() => {});
}
