export function execute() {
  throw {
    get message() {
      for (;;);
    },
  };
}
