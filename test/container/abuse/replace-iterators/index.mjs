const broken = () => {
  throw new Error('replaced');
};

export function execute() {
  const iterators = [[][Symbol.iterator](), ''[Symbol.iterator](), new Map().entries(), new Set().values()];
  const generator = Object.getPrototypeOf(Object.getPrototypeOf((function* () {})()));
  const types = [Array, String, Map, Set, Object.getPrototypeOf(Uint8Array)];
  Object.assign(generator, { next: broken, return: broken });
  for (let index = 0; index < iterators.length; index++)
    Object.getPrototypeOf(iterators[index]).next = broken;
  for (let index = 0; index < types.length; index++) types[index].prototype[Symbol.iterator] = broken;
  console.log('still heard');
  return 'done';
}
