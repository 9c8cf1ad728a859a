export function execute() {
  Promise.reject(new Error('in the background'));
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
