export function execute() {
  return {
    // biome-ignore lint/suspicious/noThenProperty: that is the attack
    then(resolve, reject) {
      resolve('first');
      reject(new Error('second'));
      throw new Error('third');
    },
  };
}
