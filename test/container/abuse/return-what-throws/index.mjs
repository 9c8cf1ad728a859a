export function execute() {
  return {
    toJSON() {
      throw new RangeError('not today');
    },
  };
}
