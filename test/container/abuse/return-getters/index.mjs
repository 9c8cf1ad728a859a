let reads = 0;

export function execute() {
  return {
    get first() {
      console.log('read');
      return ++reads;
    },
    get second() {
      process.exitCode = 9;
      return ++reads;
    },
    toJSON: undefined,
  };
}
